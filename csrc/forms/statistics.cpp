// Process-wide counters of layout changes.
#include "forms/statistics.h"

#include <c10/macros/Macros.h>

#include <atomic>

#include "core/recorder.h"

namespace ipex::forms {

namespace {

std::atomic<int64_t> reorders{0}, reordered_bytes{0}, materializations{0}, packs{0}, packed_hits{0};

void add(std::atomic<int64_t>& counter, int64_t amount = 1) {
  counter.fetch_add(amount, std::memory_order_relaxed);
}

} // namespace

FormStatistics form_statistics() {
  return {reorders, reordered_bytes, materializations, packs, packed_hits};
}

void reset_form_statistics() {
  for (auto* counter : {&reorders, &reordered_bytes, &materializations, &packs, &packed_hits})
    counter->store(0, std::memory_order_relaxed);
}

void count_reorder(int64_t bytes) {
  add(reorders);
  add(reordered_bytes, bytes);
  if (C10_UNLIKELY(recorder::active()))
    recorder::note_reorder(bytes);
}

void count_materialization() {
  add(materializations);
  if (C10_UNLIKELY(recorder::active()))
    recorder::note_materialization();
}

void count_pack() {
  add(packs);
}

void count_packed_hit() {
  add(packed_hits);
}

} // namespace ipex::forms
