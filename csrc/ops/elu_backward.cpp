// diff_src = diff_dst * elu'(src); with `is_result` the last argument is dst, else src.
//
//   schema    aten::elu_backward(Tensor grad_output, Scalar alpha, Scalar scale, Scalar input_scale, bool is_result,
//             Tensor self_or_result) -> Tensor
//   schema    aten::elu_backward.grad_input(Tensor grad_output, Scalar alpha, Scalar scale, Scalar input_scale, bool
//             is_result, Tensor self_or_result, *, Tensor(a!) grad_input) -> Tensor(a!)
//   src       any strides; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  strides as stock PyTorch gives them
//   else      CPU fallback: other or mixed dtypes, no elements, more than 6 dimensions
//   errors    RuntimeError when is_result is set and alpha is negative
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> elu_call(
    const at::Scalar& alpha,
    const at::Scalar& scale,
    const at::Scalar& input_scale,
    bool is_result) {
  const auto a = number_in(at::kFloat, alpha), s = number_in(at::kFloat, scale), i = number_in(at::kFloat, input_scale);
  if (!a || !s || !i || (is_result && *a < 0))
    return std::nullopt;
  const auto& functions = vec::functions();
  return Pointwise{is_result ? functions.elu_backward_of_result : functions.elu_backward, {*a * *s, *s, *i}};
}

} // namespace

at::Tensor elu_backward(
    const at::Tensor& grad_output,
    const at::Scalar& alpha,
    const at::Scalar& scale,
    const at::Scalar& input_scale,
    bool is_result,
    const at::Tensor& self_or_result) {
  at::Tensor dst = pointwise(elu_call(alpha, scale, input_scale, is_result), grad_output, self_or_result);
  return dst.defined()
      ? dst
      : fallback<at::_ops::elu_backward>(grad_output, alpha, scale, input_scale, is_result, self_or_result);
}

at::Tensor& elu_backward_grad_input(
    const at::Tensor& grad_output,
    const at::Scalar& alpha,
    const at::Scalar& scale,
    const at::Scalar& input_scale,
    bool is_result,
    const at::Tensor& self_or_result,
    at::Tensor& grad_input) {
  return pointwise_into(elu_call(alpha, scale, input_scale, is_result), grad_input, grad_output, self_or_result)
      ? grad_input
      : fallback<at::_ops::elu_backward_grad_input>(
            grad_output, alpha, scale, input_scale, is_result, self_or_result, grad_input);
}

} // namespace ipex::ops
