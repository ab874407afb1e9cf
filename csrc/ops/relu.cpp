// relu(src) = max(src, 0); NaN stays NaN.
//
//   schema  aten::relu(Tensor self) -> Tensor
//   schema  aten::relu_(Tensor(a!) self) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor relu(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().relu}, self);
  return dst.defined() ? dst : fallback<at::_ops::relu>(self);
}

at::Tensor& relu_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().relu}, self, self) ? self : fallback<at::_ops::relu_>(self);
}

} // namespace ipex::ops
