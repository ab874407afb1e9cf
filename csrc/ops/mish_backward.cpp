// diff_src = diff_dst * mish'(src), with mish'(x) = t + x * sigmoid(x) * (1 - t^2) and t = tanh(log(1 + exp(x))).
//
//   schema    aten::mish_backward(Tensor grad_output, Tensor self) -> Tensor
//   src       any strides; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  strides as stock PyTorch gives them
//   else      CPU fallback: other or mixed dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor mish_backward(const at::Tensor& grad_output, const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().mish_backward}, grad_output, self);
  return dst.defined() ? dst : fallback<at::_ops::mish_backward>(grad_output, self);
}

} // namespace ipex::ops
