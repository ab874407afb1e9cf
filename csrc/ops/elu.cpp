// elu(src) = scale * src where src > 0, else alpha * scale * (exp(input_scale * src) - 1).
//
//   schema  aten::elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor
//   schema  aten::elu_(Tensor(a!) self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor(a!)
//   schema  aten::elu.out(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1, *, Tensor(a!) out) ->
//           Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> elu_call(const at::Scalar& alpha, const at::Scalar& scale, const at::Scalar& input_scale) {
  const auto a = number_in(at::kFloat, alpha), s = number_in(at::kFloat, scale), i = number_in(at::kFloat, input_scale);
  if (!a || !s || !i)
    return std::nullopt;
  const auto& functions = vec::functions();
  return Pointwise{functions.elu, {*a * *s, *s, *i}};
}

} // namespace

at::Tensor elu(
    const at::Tensor& self,
    const at::Scalar& alpha,
    const at::Scalar& scale,
    const at::Scalar& input_scale) {
  at::Tensor dst = pointwise(elu_call(alpha, scale, input_scale), self);
  return dst.defined() ? dst : fallback<at::_ops::elu>(self, alpha, scale, input_scale);
}

at::Tensor& elu_(at::Tensor& self, const at::Scalar& alpha, const at::Scalar& scale, const at::Scalar& input_scale) {
  return pointwise_into(elu_call(alpha, scale, input_scale), self, self)
      ? self
      : fallback<at::_ops::elu_>(self, alpha, scale, input_scale);
}

at::Tensor& elu_out(
    const at::Tensor& self,
    const at::Scalar& alpha,
    const at::Scalar& scale,
    const at::Scalar& input_scale,
    at::Tensor& out) {
  return pointwise_into(elu_call(alpha, scale, input_scale), out, self)
      ? out
      : fallback<at::_ops::elu_out>(self, alpha, scale, input_scale, out);
}

} // namespace ipex::ops
