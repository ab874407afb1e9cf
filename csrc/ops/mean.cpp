// mean(src) = mean of all elements.
//
//   schema  aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor
//   src     any strides, those with gaps or overlaps are copied; f32
//   dst     a scalar
//   else    CPU fallback: other dtypes, no elements, scalars, dimensions
//           that do not fit
//   source  Higham, "The Accuracy of Floating Point Summation", 1993
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/reduce.h"

namespace ipex::ops {

at::Tensor mean(const at::Tensor& self, std::optional<at::ScalarType> dtype) {
  auto dst = reduce(self, std::nullopt, /*keepdim=*/false, dtype, /*mean=*/true);
  return dst ? *dst : fallback<at::_ops::mean>(self, dtype);
}

} // namespace ipex::ops
