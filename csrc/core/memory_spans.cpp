// Spans with boundary tags; segments are anonymous mappings.
#include "core/memory_spans.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <new>

namespace ipex {

namespace {

constexpr size_t kUnit = 64; // alignment and granularity of spans
constexpr size_t kSegment =
    size_t{1} << 30; // address space, large: spans join only within one; pages come with the first touch
constexpr size_t kOwnSegment = kSegment / 2; // larger requests get a segment of their own
constexpr size_t kMost = size_t{1} << 56; // no machine has it, and the bins end there
constexpr size_t kFewest = 4096; // a rest smaller than this is not worth a span
constexpr int kTried = 8; // spans that may be too small, before one that is not

size_t page_bytes() {
  static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

size_t round_up(size_t bytes, size_t step) {
  return (bytes + step - 1) / step * step;
}

} // namespace

// The tag in front of every span. `bytes` counts it.
struct alignas(kUnit) SpanHeap::Span {
  size_t bytes;
  Span* before; // the neighbour at lower addresses; null at a segment's begin
  Span* next; // in its bin; free spans only
  Span* previous;
  size_t resident; // free spans only: bytes that hold pages, as far as known
  bool free;
  bool last; // no neighbour at higher addresses

  Span* behind() {
    return last ? nullptr : reinterpret_cast<Span*>(reinterpret_cast<char*>(this) + bytes);
  }
};

size_t SpanHeap::span_bytes(void* chunk) {
  return (static_cast<Span*>(chunk) - 1)->bytes;
}

void* SpanHeap::acquire(size_t bytes) {
  if (bytes >= kMost)
    return nullptr;
  const size_t needed = round_up(bytes, kUnit) + sizeof(Span);
  Span* span = find(needed);
  if (span == nullptr) {
    if (!add_segment(needed))
      return nullptr;
    span = find(needed);
  }
  unlink(span);
  split(span, needed);
  span->free = false;
  return span + 1;
}

void SpanHeap::release(void* chunk) {
  Span* span = static_cast<Span*>(chunk) - 1;
  span->resident = span->bytes;
  const auto join = [](Span* low, Span* high) {
    low->bytes += high->bytes;
    low->resident += high->resident;
    low->last = high->last;
    if (Span* behind = low->behind())
      behind->before = low;
  };
  if (Span* behind = span->behind(); behind != nullptr && behind->free) {
    unlink(behind);
    join(span, behind);
  }
  if (Span* before = span->before; before != nullptr && before->free) {
    unlink(before);
    join(before, span);
    span = before;
  }
  link(span);
}

void SpanHeap::purge(size_t accepted) {
  for (int level = kLevels; level-- > 0 && free_resident_ > accepted;)
    for (int step = kSteps; step-- > 0 && free_resident_ > accepted;)
      for (Span *span = bins_[level][step], *next; span != nullptr && free_resident_ > accepted; span = next) {
        next = span->next;
        give_back(span);
      }
}

// The pages that the span shares with a tag stay and are not counted any more, unless the whole segment is free and goes.
void SpanHeap::give_back(Span* span) {
  if (span->resident == 0)
    return;
  if (span->before == nullptr && span->last) {
    unlink(span);
    munmap(span, span->bytes);
    return;
  }
  const size_t page = page_bytes();
  const auto data = reinterpret_cast<uintptr_t>(span + 1);
  const uintptr_t begin = round_up(data, page), end = (data + span->bytes - sizeof(Span)) & ~(page - 1);
  if (end > begin && madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED) != 0)
    return;
  free_resident_ -= span->resident;
  span->resident = 0;
}

bool SpanHeap::add_segment(size_t bytes) {
  // A span's tag and the widest rounding of find() fit, too.
  const size_t least = round_up(bytes + bytes / kSteps + kUnit, page_bytes());
  const auto map = [](size_t wanted) {
    return mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  };
  size_t mapped = bytes > kOwnSegment ? least : kSegment;
  void* memory = map(mapped);
  if (memory == MAP_FAILED && least < mapped)
    memory = map(mapped = least); // under a limit of address space
  if (memory == MAP_FAILED)
    return false;
  auto* span = new (memory) Span{};
  span->bytes = mapped;
  span->last = true;
  link(span);
  return true;
}

SpanHeap::Bin SpanHeap::bin_of(size_t bytes) {
  const size_t units = bytes / kUnit;
  const int top = std::bit_width(units) - 1;
  if (top < kStepsLog2)
    return {0, static_cast<int>(units)};
  return {top - kStepsLog2 + 1, static_cast<int>(units >> (top - kStepsLog2)) - kSteps};
}

// A span of the request's own bin may be too small; those of the bins above are not.
SpanHeap::Span* SpanHeap::find(size_t bytes) {
  Bin bin = bin_of(bytes);
  Span* span = bins_[bin.level][bin.step];
  for (int tried = 0; span != nullptr && tried < kTried; span = span->next, ++tried)
    if (span->bytes >= bytes)
      return span;
  if (++bin.step == kSteps)
    bin = {bin.level + 1, 0};
  return first_at_or_above(bin);
}

SpanHeap::Span* SpanHeap::first_at_or_above(Bin bin) const {
  if (bin.level >= kLevels)
    return nullptr;
  if (const uint32_t steps = steps_used_[bin.level] & (~uint32_t{0} << bin.step); steps != 0)
    return bins_[bin.level][std::countr_zero(steps)];
  const uint64_t levels = bin.level + 1 < kLevels ? levels_used_ & (~uint64_t{0} << (bin.level + 1)) : 0;
  if (levels == 0)
    return nullptr;
  const int level = std::countr_zero(levels);
  return bins_[level][std::countr_zero(steps_used_[level])];
}

void SpanHeap::link(Span* span) {
  const Bin bin = bin_of(span->bytes);
  Span*& first = bins_[bin.level][bin.step];
  span->free = true;
  span->previous = nullptr;
  span->next = first; // last in, first out: it is most likely still in a cache
  if (first != nullptr)
    first->previous = span;
  first = span;
  steps_used_[bin.level] |= uint32_t{1} << bin.step;
  levels_used_ |= uint64_t{1} << bin.level;
  free_resident_ += span->resident;
}

void SpanHeap::unlink(Span* span) {
  const Bin bin = bin_of(span->bytes);
  (span->previous != nullptr ? span->previous->next : bins_[bin.level][bin.step]) = span->next;
  if (span->next != nullptr)
    span->next->previous = span->previous;
  if (bins_[bin.level][bin.step] == nullptr) {
    steps_used_[bin.level] &= ~(uint32_t{1} << bin.step);
    if (steps_used_[bin.level] == 0)
      levels_used_ &= ~(uint64_t{1} << bin.level);
  }
  free_resident_ -= span->resident;
}

// Cuts what `span`, which lies in no bin, has beyond `bytes` off as a free span.
void SpanHeap::split(Span* span, size_t bytes) {
  if (span->bytes - bytes < kFewest)
    return;
  auto* rest = new (reinterpret_cast<char*>(span) + bytes) Span{};
  rest->bytes = span->bytes - bytes;
  rest->before = span;
  rest->last = span->last;
  rest->resident = span->resident > bytes ? span->resident - bytes : 0;
  if (Span* behind = rest->behind())
    behind->before = rest;
  span->bytes = bytes;
  span->last = false;
  link(rest);
}

} // namespace ipex
