// mish(src) = src * tanh(log(1 + exp(src)))
//
//   schema  aten::mish(Tensor self) -> Tensor
//   schema  aten::mish_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::mish.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor mish(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().mish}, self);
  return dst.defined() ? dst : fallback<at::_ops::mish>(self);
}

at::Tensor& mish_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().mish}, self, self) ? self : fallback<at::_ops::mish_>(self);
}

at::Tensor& mish_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().mish}, out, self) ? out : fallback<at::_ops::mish_out>(self, out);
}

} // namespace ipex::ops
