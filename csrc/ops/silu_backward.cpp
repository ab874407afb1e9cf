// diff_src = diff_dst * s * (1 + src * (1 - s)) with s = sigmoid(src).
//
//   schema    aten::silu_backward(Tensor grad_output, Tensor self) -> Tensor
//   schema    aten::silu_backward.grad_input(Tensor grad_output, Tensor self, *, Tensor(a!) grad_input) -> Tensor(a!)
//   src       any strides; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  strides as stock PyTorch gives them
//   else      CPU fallback: other or mixed dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor silu_backward(const at::Tensor& grad_output, const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().silu_backward}, grad_output, self);
  return dst.defined() ? dst : fallback<at::_ops::silu_backward>(grad_output, self);
}

at::Tensor& silu_backward_grad_input(const at::Tensor& grad_output, const at::Tensor& self, at::Tensor& grad_input) {
  return pointwise_into(Pointwise{vec::functions().silu_backward}, grad_input, grad_output, self)
      ? grad_input
      : fallback<at::_ops::silu_backward_grad_input>(grad_output, self, grad_input);
}

} // namespace ipex::ops
