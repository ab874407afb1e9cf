// diff_src = diff_dst where src > 0, else negative_slope * diff_dst. `src` may be the result, which has the same sign.
//
//   schema    aten::leaky_relu_backward(Tensor grad_output, Tensor self, Scalar negative_slope, bool self_is_result) ->
//             Tensor
//   schema    aten::leaky_relu_backward.grad_input(Tensor grad_output, Tensor self, Scalar negative_slope, bool
//             self_is_result, *, Tensor(a!) grad_input) -> Tensor(a!)
//   src       any strides; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  strides as stock PyTorch gives them
//   else      CPU fallback: other or mixed dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> leaky_relu_call(const at::Scalar& negative_slope) {
  const auto slope = number_in(at::kFloat, negative_slope);
  if (!slope)
    return std::nullopt;
  return Pointwise{vec::functions().leaky_relu_backward, {*slope}};
}

} // namespace

at::Tensor leaky_relu_backward(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    const at::Scalar& negative_slope,
    bool self_is_result) {
  at::Tensor dst = pointwise(leaky_relu_call(negative_slope), grad_output, self);
  return dst.defined() ? dst
                       : fallback<at::_ops::leaky_relu_backward>(grad_output, self, negative_slope, self_is_result);
}

at::Tensor& leaky_relu_backward_grad_input(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    const at::Scalar& negative_slope,
    bool self_is_result,
    at::Tensor& grad_input) {
  return pointwise_into(leaky_relu_call(negative_slope), grad_input, grad_output, self)
      ? grad_input
      : fallback<at::_ops::leaky_relu_backward_grad_input>(
            grad_output, self, negative_slope, self_is_result, grad_input);
}

} // namespace ipex::ops
