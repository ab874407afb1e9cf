// diff_src = diff_dst * (1 - dst) * dst: the gradient of sigmoid.
//
//   schema    aten::sigmoid_backward(Tensor grad_output, Tensor output) -> Tensor
//   schema    aten::sigmoid_backward.grad_input(Tensor grad_output, Tensor output, *, Tensor(a!) grad_input) ->
//             Tensor(a!)
//   dst       any strides; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  strides as stock PyTorch gives them
//   else      CPU fallback: other or mixed dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor sigmoid_backward(const at::Tensor& grad_output, const at::Tensor& output) {
  at::Tensor dst = pointwise(Pointwise{vec::functions().sigmoid_backward}, grad_output, output);
  return dst.defined() ? dst : fallback<at::_ops::sigmoid_backward>(grad_output, output);
}

at::Tensor& sigmoid_backward_grad_input(
    const at::Tensor& grad_output,
    const at::Tensor& output,
    at::Tensor& grad_input) {
  return pointwise_into(Pointwise{vec::functions().sigmoid_backward}, grad_input, grad_output, output)
      ? grad_input
      : fallback<at::_ops::sigmoid_backward_grad_input>(grad_output, output, grad_input);
}

} // namespace ipex::ops
