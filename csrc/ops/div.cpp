// div(self, other) = self / other
//
//   schema  aten::div.Tensor(Tensor self, Tensor other) -> Tensor
//   schema  aten::div_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
//   schema  aten::div.out(Tensor self, Tensor other, *, Tensor(a!) out) -> Tensor(a!)
//   src     self and other: any strides, broadcasting; f32, bf16, f16 of one dtype, or a scalar
//   dst     shape and strides as stock PyTorch gives them
//   else    CPU fallback: mixed dtypes, no elements, more than 6 dimensions, out= of another size
//   errors  RuntimeError when the shapes do not broadcast
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor div_Tensor(const at::Tensor& self, const at::Tensor& other) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().div}, self, other);
  return dst.defined() ? dst : fallback<at::_ops::div_Tensor>(self, other);
}

at::Tensor& div__Tensor(at::Tensor& self, const at::Tensor& other) {
  return pointwise_into(Pointwise{vec::functions().div}, self, self, other)
      ? self
      : fallback<at::_ops::div__Tensor>(self, other);
}

at::Tensor& div_out(const at::Tensor& self, const at::Tensor& other, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().div}, out, self, other)
      ? out
      : fallback<at::_ops::div_out>(self, other, out);
}

} // namespace ipex::ops
