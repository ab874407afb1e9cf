// clamp_min(src) = max(src, min). NaN stays NaN.
//
//   schema  aten::clamp_min(Tensor self, Scalar min) -> Tensor
//   schema  aten::clamp_min_(Tensor(a!) self, Scalar min) -> Tensor(a!)
//   schema  aten::clamp_min.out(Tensor self, Scalar min, *, Tensor(a!) out) -> Tensor(a!)
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
  return Pointwise{vec::functions().clamp_min, {*value}};
}

} // namespace

at::Tensor clamp_min(const at::Tensor& self, const at::Scalar& min) {
  at::Tensor dst = pointwise(clamp_call(self, min), self);
  return dst.defined() ? dst : fallback<at::_ops::clamp_min>(self, min);
}

at::Tensor& clamp_min_(at::Tensor& self, const at::Scalar& min) {
  return pointwise_into(clamp_call(self, min), self, self) ? self : fallback<at::_ops::clamp_min_>(self, min);
}

at::Tensor& clamp_min_out(const at::Tensor& self, const at::Scalar& min, at::Tensor& out) {
  return pointwise_into(clamp_call(self, min), out, self) ? out : fallback<at::_ops::clamp_min_out>(self, min, out);
}

} // namespace ipex::ops
