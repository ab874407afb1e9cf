// diff_src = diff_dst where min_val < src < max_val, else 0.
//
//   schema    aten::hardtanh_backward(Tensor grad_output, Tensor self, Scalar min_val, Scalar max_val) -> Tensor
//   schema    aten::hardtanh_backward.grad_input(Tensor grad_output, Tensor self, Scalar min_val, Scalar max_val, *,
//             Tensor(a!) grad_input) -> Tensor(a!)
//   src       any strides; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  strides as stock PyTorch gives them
//   else      CPU fallback: other or mixed dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> hardtanh_call(const at::Tensor& src, const at::Scalar& min_val, const at::Scalar& max_val) {
  const auto min = number_in(src.scalar_type(), min_val), max = number_in(src.scalar_type(), max_val);
  if (!min || !max)
    return std::nullopt;
  return Pointwise{vec::functions().hardtanh_backward, {*min, *max}};
}

} // namespace

at::Tensor hardtanh_backward(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    const at::Scalar& min_val,
    const at::Scalar& max_val) {
  at::Tensor dst = pointwise(hardtanh_call(self, min_val, max_val), grad_output, self);
  return dst.defined() ? dst : fallback<at::_ops::hardtanh_backward>(grad_output, self, min_val, max_val);
}

at::Tensor& hardtanh_backward_grad_input(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    const at::Scalar& min_val,
    const at::Scalar& max_val,
    at::Tensor& grad_input) {
  return pointwise_into(hardtanh_call(self, min_val, max_val), grad_input, grad_output, self)
      ? grad_input
      : fallback<at::_ops::hardtanh_backward_grad_input>(grad_output, self, min_val, max_val, grad_input);
}

} // namespace ipex::ops
