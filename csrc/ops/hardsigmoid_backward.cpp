// diff_src = diff_dst / 6 where -3 < src < 3, else 0.
//
//   schema    aten::hardsigmoid_backward(Tensor grad_output, Tensor self) -> Tensor
//   schema    aten::hardsigmoid_backward.grad_input(Tensor grad_output, Tensor self, *, Tensor(a!) grad_input) ->
//             Tensor(a!)
//   src       any strides; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  strides as stock PyTorch gives them
//   else      CPU fallback: other or mixed dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor hardsigmoid_backward(const at::Tensor& grad_output, const at::Tensor& self) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().hardsigmoid_backward}, grad_output, self);
  return dst.defined() ? dst : fallback<at::_ops::hardsigmoid_backward>(grad_output, self);
}

at::Tensor& hardsigmoid_backward_grad_input(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    at::Tensor& grad_input) {
  return pointwise_into(Pointwise{vec::functions().hardsigmoid_backward}, grad_input, grad_output, self)
      ? grad_input
      : fallback<at::_ops::hardsigmoid_backward_grad_input>(grad_output, self, grad_input);
}

} // namespace ipex::ops
