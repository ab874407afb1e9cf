// How often values changed their layout, and how many bytes that wrote.
#pragma once

#include <cstdint>

#include "core/visibility.h"

namespace ipex::forms {

struct FormStatistics {
  int64_t reorders = 0; // copies from one layout into another, the following two included
  int64_t reordered_bytes = 0;
  int64_t materializations = 0; // plain bytes made of a physical form
  int64_t packs = 0; // packed copies made of weights
  int64_t packed_hits = 0; // packed copies that were used again
};

IPEX_API FormStatistics form_statistics();
IPEX_API void reset_form_statistics();

void count_reorder(int64_t bytes);
void count_materialization();
void count_pack();
void count_packed_hit();

} // namespace ipex::forms
