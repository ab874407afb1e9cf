// maximum(self, other) = max(self, other); NaN wins.
//
//   schema  aten::maximum(Tensor self, Tensor other) -> Tensor
//   schema  aten::maximum.out(Tensor self, Tensor other, *, Tensor(a!) out) -> Tensor(a!)
//   src     self and other: any strides, broadcasting; f32, bf16, f16 of one dtype, or a scalar
//   dst     shape and strides as stock PyTorch gives them
//   else    CPU fallback: mixed dtypes, no elements, more than 6 dimensions, out= of another size
//   errors  RuntimeError when the shapes do not broadcast
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor maximum(const at::Tensor& self, const at::Tensor& other) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().maximum}, self, other);
  return dst.defined() ? dst : fallback<at::_ops::maximum>(self, other);
}

at::Tensor& maximum_out(const at::Tensor& self, const at::Tensor& other, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().maximum}, out, self, other)
      ? out
      : fallback<at::_ops::maximum_out>(self, other, out);
}

} // namespace ipex::ops
