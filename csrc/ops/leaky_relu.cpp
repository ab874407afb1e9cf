// leaky_relu(src) = src where src > 0, else negative_slope * src.
//
//   schema  aten::leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor
//   schema  aten::leaky_relu_(Tensor(a!) self, Scalar negative_slope=0.01) -> Tensor(a!)
//   schema  aten::leaky_relu.out(Tensor self, Scalar negative_slope=0.01, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> leaky_relu_call(const at::Scalar& negative_slope) {
  const auto slope = number_in(at::kFloat, negative_slope);
  if (!slope)
    return std::nullopt;
  return Pointwise{vec::functions().leaky_relu, {*slope}};
}

} // namespace

at::Tensor leaky_relu(const at::Tensor& self, const at::Scalar& negative_slope) {
  at::Tensor dst = pointwise(leaky_relu_call(negative_slope), self);
  return dst.defined() ? dst : fallback<at::_ops::leaky_relu>(self, negative_slope);
}

at::Tensor& leaky_relu_(at::Tensor& self, const at::Scalar& negative_slope) {
  return pointwise_into(leaky_relu_call(negative_slope), self, self)
      ? self
      : fallback<at::_ops::leaky_relu_>(self, negative_slope);
}

at::Tensor& leaky_relu_out(const at::Tensor& self, const at::Scalar& negative_slope, at::Tensor& out) {
  return pointwise_into(leaky_relu_call(negative_slope), out, self)
      ? out
      : fallback<at::_ops::leaky_relu_out>(self, negative_slope, out);
}

} // namespace ipex::ops
