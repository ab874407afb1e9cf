// sigmoid(src) = 1 / (1 + exp(-src))
//
//   schema  aten::sigmoid(Tensor self) -> Tensor
//   schema  aten::sigmoid_(Tensor(a!) self) -> Tensor(a!)
//   schema  aten::sigmoid.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor sigmoid(const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().sigmoid}, self);
  return dst.defined() ? dst : fallback<at::_ops::sigmoid>(self);
}

at::Tensor& sigmoid_(at::Tensor& self) {
  return pointwise_into(Pointwise{vec::functions().sigmoid}, self, self) ? self : fallback<at::_ops::sigmoid_>(self);
}

at::Tensor& sigmoid_out(const at::Tensor& self, at::Tensor& out) {
  return pointwise_into(Pointwise{vec::functions().sigmoid}, out, self) ? out
                                                                        : fallback<at::_ops::sigmoid_out>(self, out);
}

} // namespace ipex::ops
