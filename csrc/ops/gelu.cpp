// gelu(src) = src * Phi(src) with the normal distribution Phi(x) = (1 + erf(x / sqrt 2)) / 2, or with (1 + tanh(sqrt(2
// / pi) * (x + 0.044715 x^3))) / 2 in its place when `approximate` is "tanh".
//
//   schema  aten::gelu(Tensor self, *, str approximate='none') -> Tensor
//   schema  aten::gelu_(Tensor(a!) self, *, str approximate='none') -> Tensor(a!)
//   schema  aten::gelu.out(Tensor self, *, str approximate='none', Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
//   errors  RuntimeError when `approximate` is neither "none" nor "tanh"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> gelu_call(c10::string_view approximate) {
  const auto& functions = vec::functions();
  if (approximate == "none")
    return Pointwise{functions.gelu_erf};
  if (approximate == "tanh")
    return Pointwise{functions.gelu_tanh};
  return std::nullopt;
}

} // namespace

at::Tensor gelu(const at::Tensor& self, c10::string_view approximate) {
  at::Tensor dst = pointwise(gelu_call(approximate), self);
  return dst.defined() ? dst : fallback<at::_ops::gelu>(self, approximate);
}

at::Tensor& gelu_(at::Tensor& self, c10::string_view approximate) {
  return pointwise_into(gelu_call(approximate), self, self) ? self : fallback<at::_ops::gelu_>(self, approximate);
}

at::Tensor& gelu_out(const at::Tensor& self, c10::string_view approximate, at::Tensor& out) {
  return pointwise_into(gelu_call(approximate), out, self) ? out : fallback<at::_ops::gelu_out>(self, approximate, out);
}

} // namespace ipex::ops
