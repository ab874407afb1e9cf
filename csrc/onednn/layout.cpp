// Turns layouts into oneDNN memory descriptors.
#include "onednn/layout.h"

namespace ipex::onednn {

Layout Layout::dense(dnnl::memory::data_type dtype, c10::IntArrayRef sizes) {
  TORCH_INTERNAL_ASSERT(sizes.size() <= static_cast<size_t>(kMaxRank));
  Layout layout;
  layout.dtype = dtype;
  layout.rank = static_cast<int32_t>(sizes.size());
  int64_t stride = 1;
  for (int32_t dim = layout.rank - 1; dim >= 0; --dim) {
    layout.sizes[dim] = sizes[dim];
    layout.strides[dim] = stride;
    stride *= sizes[dim];
  }
  return layout;
}

dnnl::memory::desc Layout::desc() const {
  const dnnl::memory::dims dims(sizes.begin(), sizes.begin() + rank);
  return {dims, dtype, dnnl::memory::dims(strides.begin(), strides.begin() + rank), /*allow_empty=*/true};
}

} // namespace ipex::onednn
