// exp(src) = e^src
//
//   schema  aten::exp(Tensor self) -> Tensor
//   schema  aten::exp_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::exp.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor exp(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().exp}, self);
  return dst.defined() ? dst : fallback<at::_ops::exp>(self);
}

at::Tensor& exp_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().exp}, self, self) ? self : fallback<at::_ops::exp_>(self);
}

at::Tensor& exp_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().exp}, out, self) ? out : fallback<at::_ops::exp_out>(self, out);
}

} // namespace ipex::ops
