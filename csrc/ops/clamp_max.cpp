// clamp_max(src) = min(src, max). NaN stays NaN.
//
//   schema  aten::clamp_max(Tensor self, Scalar max) -> Tensor
//   schema  aten::clamp_max_(Tensor(a!) self, Scalar max) -> Tensor(a!)
//   schema  aten::clamp_max.out(Tensor self, Scalar max, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions, a bound that is NaN
#include <cmath>

#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> clamp_call(const at::Tensor& src, const at::Scalar& bound) {
  const auto value = number_in(src.scalar_type(), bound);
  if (!value || std::isnan(*value))
    return std::nullopt;
  return Pointwise{vec::functions().clamp_max, {*value}};
}

} // namespace

at::Tensor clamp_max(const at::Tensor& self, const at::Scalar& max) {
  at::Tensor dst = pointwise(clamp_call(self, max), self);
  return dst.defined() ? dst : fallback<at::_ops::clamp_max>(self, max);
}

at::Tensor& clamp_max_(at::Tensor& self, const at::Scalar& max) {
  return pointwise_into(clamp_call(self, max), self, self) ? self : fallback<at::_ops::clamp_max_>(self, max);
}

at::Tensor& clamp_max_out(const at::Tensor& self, const at::Scalar& max, at::Tensor& out) {
  return pointwise_into(clamp_call(self, max), out, self) ? out : fallback<at::_ops::clamp_max_out>(self, max, out);
}

} // namespace ipex::ops
