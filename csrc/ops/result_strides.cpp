// TensorIterator's choice of strides: contiguous, channels-last or common strides when all sources agree, else dimensions
// ordered by the strides of the sources, the first source first.
#include "ops/result_strides.h"

#include "forms/operand.h"

namespace ipex::ops {

namespace {

using Sources = c10::ArrayRef<const at::Tensor*>;

// TensorIteratorBase::compute_fast_setup_type.
std::optional<c10::DimVector> agreed_strides(Sources src, c10::IntArrayRef sizes) {
  const auto all = [&](auto predicate) {
    return std::all_of(src.begin(), src.end(), [&](const at::Tensor* tensor) { return predicate(*tensor); });
  };
  if (!all([&](const at::Tensor& t) { return t.sizes() == sizes; }))
    return std::nullopt;
  if (all([](const at::Tensor& t) { return t.is_contiguous(); }))
    return forms::row_major_strides(sizes);
  if (all([](const at::Tensor& t) { return t.is_contiguous(at::MemoryFormat::ChannelsLast); }))
    return forms::channels_last_strides(sizes);
  const auto first = src.front()->strides();
  if (all([&](const at::Tensor& t) { return t.strides() == first && t.is_non_overlapping_and_dense(); }))
    return c10::DimVector(first);
  return std::nullopt;
}

// Whether dimension `a` varies slower than `b`: 1, -1, or 0 when no source tells. TensorIteratorBase::reorder_dimensions.
int slower(Sources src, c10::IntArrayRef sizes, size_t a, size_t b) {
  for (const at::Tensor* tensor : src) {
    const size_t shift = sizes.size() - static_cast<size_t>(tensor->dim());
    const auto stride = [&](size_t dim) -> int64_t {
      return dim < shift || (tensor->sizes()[dim - shift] == 1 && sizes[dim] != 1) ? 0 : tensor->strides()[dim - shift];
    };
    const int64_t stride_a = stride(a), stride_b = stride(b);
    if (stride_a == 0 || stride_b == 0)
      continue;
    if (stride_a != stride_b)
      return stride_a > stride_b ? 1 : -1;
    if (sizes[a] > sizes[b])
      return 1;
  }
  return 0;
}

} // namespace

c10::DimVector iterator_strides(Sources src, c10::IntArrayRef sizes) {
  if (auto agreed = agreed_strides(src, sizes))
    return *agreed;
  const size_t rank = sizes.size();
  c10::DimVector fastest_first(rank);
  for (size_t i = 0; i < rank; ++i)
    fastest_first[i] = static_cast<int64_t>(rank - 1 - i);
  for (size_t i = 1; i < rank; ++i) { // insertion sort that stays where nothing is known
    size_t place = i;
    for (size_t before = i; before-- > 0;) {
      const int order = slower(src, sizes, fastest_first[before], fastest_first[place]);
      if (order > 0) {
        std::swap(fastest_first[before], fastest_first[place]);
        place = before;
      } else if (order < 0) {
        break;
      }
    }
  }
  c10::DimVector strides(rank);
  int64_t stride = 1;
  for (const int64_t dim : fastest_first) {
    strides[dim] = stride;
    stride *= sizes[dim];
  }
  return strides;
}

} // namespace ipex::ops
