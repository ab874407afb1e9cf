// sqrt(src)
//
//   schema  aten::sqrt(Tensor self) -> Tensor
//   schema  aten::sqrt_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::sqrt.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor sqrt(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().sqrt}, self);
  return dst.defined() ? dst : fallback<at::_ops::sqrt>(self);
}

at::Tensor& sqrt_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().sqrt}, self, self) ? self : fallback<at::_ops::sqrt_>(self);
}

at::Tensor& sqrt_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().sqrt}, out, self) ? out : fallback<at::_ops::sqrt_out>(self, out);
}

} // namespace ipex::ops
