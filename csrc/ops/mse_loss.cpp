// mse_loss(src, target) = (src - target)^2, or the sum or mean of that.
//
//   schema  aten::mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor
//   src     any strides, same shape as target unless there is no reduction; f32, without reduction also bf16, f16
//   dst     a scalar, or what broadcasting gives
//   else    CPU fallback: other or mixed dtypes, no elements, more than 6 dimensions
#include <ATen/Parallel.h>
#include <ATen/core/Reduction.h>

#include <atomic>

#include "aten/fallback.h"
#include "aten/on_device.h"
#include "core/profile.h"
#include "forms/operand.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"
#include "vec/rows.h"

namespace ipex::ops {

namespace {

bool can_reduce(const at::Tensor& self, const at::Tensor& target) {
  return on_device(self) && on_device(target) && forms::readable(self) && forms::readable(target) &&
      self.scalar_type() == at::kFloat && target.scalar_type() == at::kFloat && self.sizes() == target.sizes() &&
      self.numel() != 0;
}

// Partial sums by position, so that the result does not depend on which thread is first.
double squared_distance(const float* a, const float* b, int64_t count) {
  constexpr int64_t kPart = 32768;
  std::vector<double> sums((count + kPart - 1) / kPart);
  const profile::Kernel profiled("mse_loss");
  at::parallel_for(0, static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[i] = vec::row_functions().squared_distance(a + i * kPart, b + i * kPart, std::min(kPart, count - i * kPart));
  });
  double total = 0;
  for (const double sum : sums)
    total += sum;
  return total;
}

} // namespace

at::Tensor mse_loss(const at::Tensor& self, const at::Tensor& target, int64_t reduction) {
  if (reduction == at::Reduction::None) {
    at::Tensor dst = pointwise(Pointwise{vec::functions().square_of_difference}, self, target);
    if (dst.defined())
      return dst;
  } else if (can_reduce(self, target)) {
    auto src = forms::read(self);
    if (!src.dense())
      src = forms::read_as(self, forms::row_major_strides(self.sizes()));
    const auto other = forms::read_as(target, src.strides());
    double loss =
        squared_distance(static_cast<const float*>(src.data), static_cast<const float*>(other.data), self.numel());
    if (reduction == at::Reduction::Mean)
      loss /= static_cast<double>(self.numel());
    const auto dst = forms::make_contiguous_result({}, self.options());
    *static_cast<float*>(dst.data) = static_cast<float>(loss);
    return dst.tensor;
  }
  return fallback<at::_ops::mse_loss>(self, target, reduction);
}

} // namespace ipex::ops
