// diff_src = diff_dst * gelu'(src), with gelu'(x) = Phi(x) + x * Phi'(x) and Phi as in gelu.cpp.
//
//   schema    aten::gelu_backward(Tensor grad_output, Tensor self, *, str approximate='none') -> Tensor
//   schema    aten::gelu_backward.grad_input(Tensor grad_output, Tensor self, *, str approximate='none', Tensor(a!)
//             grad_input) -> Tensor(a!)
//   src       any strides; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  strides as stock PyTorch gives them
//   else      CPU fallback: other or mixed dtypes, no elements, more than 6 dimensions
//   errors    RuntimeError when `approximate` is neither "none" nor "tanh"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> gelu_call(c10::string_view approximate) {
  const auto& functions = vec::functions();
  if (approximate == "none")
    return Pointwise{functions.gelu_erf_backward};
  if (approximate == "tanh")
    return Pointwise{functions.gelu_tanh_backward};
  return std::nullopt;
}

} // namespace

at::Tensor gelu_backward(const at::Tensor& grad_output, const at::Tensor& self, c10::string_view approximate) {
  at::Tensor dst = pointwise(gelu_call(approximate), grad_output, self);
  return dst.defined() ? dst : fallback<at::_ops::gelu_backward>(grad_output, self, approximate);
}

at::Tensor& gelu_backward_grad_input(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    c10::string_view approximate,
    at::Tensor& grad_input) {
  return pointwise_into(gelu_call(approximate), grad_input, grad_output, self)
      ? grad_input
      : fallback<at::_ops::gelu_backward_grad_input>(grad_output, self, approximate, grad_input);
}

} // namespace ipex::ops
