// rsqrt(src) = 1 / sqrt(src)
//
//   schema  aten::rsqrt(Tensor self) -> Tensor
//   schema  aten::rsqrt_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::rsqrt.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor rsqrt(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().rsqrt}, self);
  return dst.defined() ? dst : fallback<at::_ops::rsqrt>(self);
}

at::Tensor& rsqrt_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().rsqrt}, self, self) ? self : fallback<at::_ops::rsqrt_>(self);
}

at::Tensor& rsqrt_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().rsqrt}, out, self) ? out : fallback<at::_ops::rsqrt_out>(self, out);
}

} // namespace ipex::ops
