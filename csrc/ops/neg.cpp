// neg(src) = -src
//
//   schema  aten::neg(Tensor self) -> Tensor
//   schema  aten::neg_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::neg.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor neg(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().neg}, self);
  return dst.defined() ? dst : fallback<at::_ops::neg>(self);
}

at::Tensor& neg_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().neg}, self, self) ? self : fallback<at::_ops::neg_>(self);
}

at::Tensor& neg_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().neg}, out, self) ? out : fallback<at::_ops::neg_out>(self, out);
}

} // namespace ipex::ops
