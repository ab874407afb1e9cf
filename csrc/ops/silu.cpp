// silu(src) = src / (1 + exp(-src))
//
//   schema  aten::silu(Tensor self) -> Tensor
//   schema  aten::silu_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::silu.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor silu(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().silu}, self);
  return dst.defined() ? dst : fallback<at::_ops::silu>(self);
}

at::Tensor& silu_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().silu}, self, self) ? self : fallback<at::_ops::silu_>(self);
}

at::Tensor& silu_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().silu}, out, self) ? out : fallback<at::_ops::silu_out>(self, out);
}

} // namespace ipex::ops
