// abs(src) = |src|
//
//   schema  aten::abs(Tensor self) -> Tensor
//   schema  aten::abs_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::abs.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor abs(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().abs}, self);
  return dst.defined() ? dst : fallback<at::_ops::abs>(self);
}

at::Tensor& abs_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().abs}, self, self) ? self : fallback<at::_ops::abs_>(self);
}

at::Tensor& abs_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().abs}, out, self) ? out : fallback<at::_ops::abs_out>(self, out);
}

} // namespace ipex::ops
