// Turns layouts into oneDNN memory descriptors.
#include "onednn/layout.h"

#include <algorithm>

namespace ipex::onednn {

namespace {

// The dimensions of more than one element, smallest stride first.
class Extents {
 public:
  explicit Extents(const Layout& layout) {
    for (int32_t dim = 0; dim < layout.rank; ++dim) {
      if (layout.sizes[dim] == 1)
        continue;
      int32_t place = count_++;
      for (; place > 0 && layout.strides[order_[place - 1]] > layout.strides[dim]; --place)
        order_[place] = order_[place - 1];
      order_[place] = dim;
    }
  }
  const int32_t* begin() const {
    return order_.data();
  }
  const int32_t* end() const {
    return order_.data() + count_;
  }

 private:
  std::array<int32_t, Layout::kMaxRank> order_;
  int32_t count_ = 0;
};

} // namespace

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
  if (elements() == 0)
    return true;
  int64_t expected = 1;
  const Extents extents(*this);
  return std::all_of(extents.begin(), extents.end(), [&](int32_t dim) {
    const bool adjacent = strides[dim] == expected;
    expected *= sizes[dim];
    return adjacent;
  });
}

bool Layout::disjoint() const {
  int64_t end = 1; // of what the dimensions so far span
  const Extents extents(*this);
  return std::all_of(extents.begin(), extents.end(), [&](int32_t dim) {
    const bool beyond = strides[dim] >= end;
    end += strides[dim] * (sizes[dim] - 1);
    return beyond;
  });
}

dnnl::memory::desc Layout::desc() const {
  const dnnl::memory::dims dims(sizes.begin(), sizes.begin() + rank);
  return {dims, dtype, dnnl::memory::dims(strides.begin(), strides.begin() + rank), /*allow_empty=*/true};
}

} // namespace ipex::onednn
