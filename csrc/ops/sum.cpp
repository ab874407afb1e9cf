// sum(src) = sum of all elements.
//
//   schema  aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor
//   src     any strides, those with gaps or overlaps are copied; f32
//   dst     a scalar
//   else    CPU fallback: other dtypes, no elements, scalars, dimensions
//           that do not fit
//   source  Higham, "The Accuracy of Floating Point Summation", 1993
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/reduce.h"

namespace ipex::ops {

at::Tensor sum(const at::Tensor& self, std::optional<at::ScalarType> dtype) {
  auto dst = reduce(self, std::nullopt, /*keepdim=*/false, dtype, /*mean=*/false);
  return dst ? *dst : fallback<at::_ops::sum>(self, dtype);
}

} // namespace ipex::ops
