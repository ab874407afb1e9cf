// hardswish(src) = src * min(max(src + 3, 0), 6) / 6
//
//   schema  aten::hardswish(Tensor self) -> Tensor
//   schema  aten::hardswish_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::hardswish.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor hardswish(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().hardswish}, self);
  return dst.defined() ? dst : fallback<at::_ops::hardswish>(self);
}

at::Tensor& hardswish_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().hardswish}, self, self) ? self
                                                                           : fallback<at::_ops::hardswish_>(self);
}

at::Tensor& hardswish_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().hardswish}, out, self)
      ? out
      : fallback<at::_ops::hardswish_out>(self, out);
}

} // namespace ipex::ops
