// log(src), the natural logarithm
//
//   schema  aten::log(Tensor self) -> Tensor
//   schema  aten::log_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::log.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor log(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().log}, self);
  return dst.defined() ? dst : fallback<at::_ops::log>(self);
}

at::Tensor& log_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().log}, self, self) ? self : fallback<at::_ops::log_>(self);
}

at::Tensor& log_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().log}, out, self) ? out : fallback<at::_ops::log_out>(self, out);
}

} // namespace ipex::ops
