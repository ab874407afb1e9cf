// Where the elements of a view lie when the storage holds its values in another order of dimensions.
#pragma once

#include <c10/util/ArrayRef.h>

#include <cstdint>
#include <optional>

#include "onednn/layout.h"

namespace ipex::forms {

struct Place {
  int64_t offset = 0; // of the first element, in elements
  onednn::Layout layout; // sizes of the view, strides in the physical bytes
};

// `plain` and `layout` have the same sizes: the whole storage as PyTorch strides it and as it lies in memory. The view
// has `sizes`, `strides` and `offset` over the plain bytes. Nothing when no strides describe the view in the physical
// bytes: a dimension of the view that walks over the end of a dimension of the storage and into the next.
std::optional<Place> translate(
    const onednn::Layout& plain,
    const onednn::Layout& layout,
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    int64_t offset);

} // namespace ipex::forms
