// clamp(src) = min(max(src, min), max); a bound that is absent does not bound. NaN stays NaN.
//
//   schema  aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor
//   schema  aten::clamp_(Tensor(a!) self, Scalar? min=None, Scalar? max=None) -> Tensor(a!)
//   schema  aten::clamp.out(Tensor self, Scalar? min=None, Scalar? max=None, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions, bounds that are NaN
//   errors  RuntimeError when both bounds are absent
#include <cmath>
#include <limits>

#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> clamp_call(
    const at::Tensor& src,
    const std::optional<at::Scalar>& min,
    const std::optional<at::Scalar>& max) {
  if (!min && !max)
    return std::nullopt;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  const float low = min ? number_in(src.scalar_type(), *min).value_or(kNaN) : -kInfinity;
  const float high = max ? number_in(src.scalar_type(), *max).value_or(kNaN) : kInfinity;
  if (std::isnan(low) || std::isnan(high))
    return std::nullopt;
  return Pointwise{vec::functions().clamp, {low, high}};
}

} // namespace

at::Tensor clamp(const at::Tensor& self, const std::optional<at::Scalar>& min, const std::optional<at::Scalar>& max) {
  at::Tensor dst = pointwise(clamp_call(self, min, max), self);
  return dst.defined() ? dst : fallback<at::_ops::clamp>(self, min, max);
}

at::Tensor& clamp_(at::Tensor& self, const std::optional<at::Scalar>& min, const std::optional<at::Scalar>& max) {
  return pointwise_into(clamp_call(self, min, max), self, self) ? self : fallback<at::_ops::clamp_>(self, min, max);
}

at::Tensor& clamp_out(
    const at::Tensor& self,
    const std::optional<at::Scalar>& min,
    const std::optional<at::Scalar>& max,
    at::Tensor& out) {
  return pointwise_into(clamp_call(self, min, max), out, self) ? out
                                                               : fallback<at::_ops::clamp_out>(self, min, max, out);
}

} // namespace ipex::ops
