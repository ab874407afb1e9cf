// Turns layouts into oneDNN memory descriptors.
#include "onednn/layout.h"

#include <algorithm>

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

Layout Layout::strided(dnnl::memory::data_type dtype, c10::IntArrayRef sizes, c10::IntArrayRef strides) {
  if (sizes.empty())
    return dense(dtype, {1});
  TORCH_INTERNAL_ASSERT(sizes.size() <= static_cast<size_t>(kMaxRank));
  Layout layout;
  layout.dtype = dtype;
  layout.rank = static_cast<int32_t>(sizes.size());
  std::copy(sizes.begin(), sizes.end(), layout.sizes.begin());
  std::copy(strides.begin(), strides.end(), layout.strides.begin());
  return layout;
}

Layout Layout::with_rank(int32_t wanted) const {
  TORCH_INTERNAL_ASSERT(rank <= wanted && wanted <= kMaxRank);
  Layout layout = *this;
  for (; layout.rank < wanted; ++layout.rank)
    layout.sizes[layout.rank] = layout.strides[layout.rank] = 1;
  return layout;
}

int64_t Layout::elements() const {
  int64_t product = 1;
  for (int32_t dim = 0; dim < rank; ++dim)
    product *= sizes[dim];
  return product;
}

bool Layout::dense() const {
  std::array<int32_t, kMaxRank> order;
  int32_t count = 0;
  for (int32_t dim = 0; dim < rank; ++dim) {
    if (sizes[dim] == 0)
      return true;
    if (sizes[dim] == 1)
      continue;
    int32_t place = count++;
    for (; place > 0 && strides[order[place - 1]] > strides[dim]; --place)
      order[place] = order[place - 1];
    order[place] = dim;
  }
  int64_t expected = 1;
  for (int32_t i = 0; i < count; ++i) {
    if (strides[order[i]] != expected)
      return false;
    expected *= sizes[order[i]];
  }
  return true;
}

dnnl::memory::desc Layout::desc() const {
  const dnnl::memory::dims dims(sizes.begin(), sizes.begin() + rank);
  return {dims, dtype, dnnl::memory::dims(strides.begin(), strides.begin() + rank), /*allow_empty=*/true};
}

} // namespace ipex::onednn
