// hardsigmoid(src) = min(max(src + 3, 0), 6) / 6
//
//   schema  aten::hardsigmoid(Tensor self) -> Tensor
//   schema  aten::hardsigmoid_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::hardsigmoid.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor hardsigmoid(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().hardsigmoid}, self);
  return dst.defined() ? dst : fallback<at::_ops::hardsigmoid>(self);
}

at::Tensor& hardsigmoid_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().hardsigmoid}, self, self) ? self
                                                                             : fallback<at::_ops::hardsigmoid_>(self);
}

at::Tensor& hardsigmoid_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().hardsigmoid}, out, self)
      ? out
      : fallback<at::_ops::hardsigmoid_out>(self, out);
}

} // namespace ipex::ops
