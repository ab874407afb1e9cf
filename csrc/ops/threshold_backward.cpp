// diff_src = 0 where src <= threshold, else diff_dst: the gradient of relu. A NaN of src lets the gradient pass.
//
//   schema    aten::threshold_backward(Tensor grad_output, Tensor self, Scalar threshold) -> Tensor
//   schema    aten::threshold_backward.grad_input(Tensor grad_output, Tensor self, Scalar threshold, *, Tensor(a!)
//             grad_input) -> Tensor(a!)
//   src       any strides; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  strides as stock PyTorch gives them
//   else      CPU fallback: other or mixed dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> threshold_call(const at::Tensor& src, const at::Scalar& threshold) {
  const auto bound = number_in(src.scalar_type(), threshold);
  if (!bound)
    return std::nullopt;
  return Pointwise{vec::functions().threshold_backward, {*bound}};
}

} // namespace

at::Tensor threshold_backward(const at::Tensor& grad_output, const at::Tensor& self, const at::Scalar& threshold) {
  at::Tensor dst = pointwise(threshold_call(self, threshold), grad_output, self);
  return dst.defined() ? dst : fallback<at::_ops::threshold_backward>(grad_output, self, threshold);
}

at::Tensor& threshold_backward_grad_input(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    const at::Scalar& threshold,
    at::Tensor& grad_input) {
  return pointwise_into(threshold_call(self, threshold), grad_input, grad_output, self)
      ? grad_input
      : fallback<at::_ops::threshold_backward_grad_input>(grad_output, self, threshold, grad_input);
}

} // namespace ipex::ops
