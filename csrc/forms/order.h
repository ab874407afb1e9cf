// Strides of dense tensors whose dimensions lie in a given order.
#pragma once

#include <c10/util/ArrayRef.h>
#include <c10/util/DimVector.h>

#include <algorithm>
#include <numeric>

namespace ipex::forms {

// The strides of a tensor of `sizes` without gaps whose dimensions are ordered as `strides` order theirs.
inline c10::DimVector compact_strides(c10::IntArrayRef sizes, c10::IntArrayRef strides) {
  c10::DimVector order(sizes.size()), made(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return strides[a] > strides[b]; });
  int64_t stride = 1;
  for (size_t i = order.size(); i-- > 0;) {
    made[order[i]] = stride;
    stride *= sizes[order[i]];
  }
  return made;
}

} // namespace ipex::forms
