// reciprocal(src) = 1 / src
//
//   schema  aten::reciprocal(Tensor self) -> Tensor
//   schema  aten::reciprocal_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::reciprocal.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor reciprocal(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().reciprocal}, self);
  return dst.defined() ? dst : fallback<at::_ops::reciprocal>(self);
}

at::Tensor& reciprocal_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().reciprocal}, self, self) ? self
                                                                            : fallback<at::_ops::reciprocal_>(self);
}

at::Tensor& reciprocal_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().reciprocal}, out, self)
      ? out
      : fallback<at::_ops::reciprocal_out>(self, out);
}

} // namespace ipex::ops
