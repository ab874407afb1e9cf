// pow(src, exponent) = src * src for exponent 2, src * src * src for 3.
//
//   schema  aten::pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor
//   schema  aten::pow_.Scalar(Tensor(a!) self, Scalar exponent) -> Tensor(a!)
//   schema  aten::pow.Tensor_Scalar_out(Tensor self, Scalar exponent, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other exponents and dtypes, no elements, more than 6 dimensions
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> pow_call(const at::Scalar& exponent) {
  const auto& functions = vec::functions();
  const auto value = number_in(at::kFloat, exponent);
  if (!value)
    return std::nullopt;
  if (*value == 2)
    return Pointwise{functions.square};
  if (*value == 3)
    return Pointwise{functions.cube};
  return std::nullopt;
}

} // namespace

at::Tensor pow_Tensor_Scalar(const at::Tensor& self, const at::Scalar& exponent) {
  at::Tensor dst = pointwise(pow_call(exponent), self);
  return dst.defined() ? dst : fallback<at::_ops::pow_Tensor_Scalar>(self, exponent);
}

at::Tensor& pow__Scalar(at::Tensor& self, const at::Scalar& exponent) {
  return pointwise_into(pow_call(exponent), self, self) ? self : fallback<at::_ops::pow__Scalar>(self, exponent);
}

at::Tensor& pow_Tensor_Scalar_out(const at::Tensor& self, const at::Scalar& exponent, at::Tensor& out) {
  return pointwise_into(pow_call(exponent), out, self) ? out
                                                       : fallback<at::_ops::pow_Tensor_Scalar_out>(self, exponent, out);
}

} // namespace ipex::ops
