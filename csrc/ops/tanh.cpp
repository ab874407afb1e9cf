// tanh(src), the hyperbolic tangent
//
//   schema  aten::tanh(Tensor self) -> Tensor
//   schema  aten::tanh_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::tanh.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor tanh(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().tanh}, self);
  return dst.defined() ? dst : fallback<at::_ops::tanh>(self);
}

at::Tensor& tanh_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().tanh}, self, self) ? self : fallback<at::_ops::tanh_>(self);
}

at::Tensor& tanh_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().tanh}, out, self) ? out : fallback<at::_ops::tanh_out>(self, out);
}

} // namespace ipex::ops
