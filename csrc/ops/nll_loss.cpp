// nll_loss(src, target)[n] = -weight[target[n]] * src[n, target[n]], or the sum of that, or the sum divided by the sum of
// weights; rows whose target is `ignore_index` count nothing.
//
//   schema  aten::nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index) ->
//           (Tensor output, Tensor total_weight)
//   src     [N, C], any strides; f32
//   target  [N], int64
//   weight  [C], f32, contiguous, or absent
//   dst     [N] or a scalar, and the sum of weights (0 without reduction)
//   else    CPU fallback: other dtypes and shapes, no elements
//   errors  IndexError when a target is not a class
#include <ATen/core/Reduction.h>

#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/nll_loss_rows.h"

namespace ipex::ops {

std::tuple<at::Tensor, at::Tensor> nll_loss_forward(
    const at::Tensor& self,
    const at::Tensor& target,
    const std::optional<at::Tensor>& weight,
    int64_t reduction,
    int64_t ignore_index) {
  const auto targets = NllTargets::of(self, target, weight, ignore_index);
  if (!targets)
    return fallback<at::_ops::nll_loss_forward>(self, target, weight, reduction, ignore_index);
  const auto src = forms::read(self);
  const auto* values = static_cast<const float*>(src.data);
  const int64_t rows = self.size(0);
  const auto loss = [&](int64_t row) -> float {
    const int64_t c = targets->classes[row];
    return c < 0 ? 0 : -targets->weights[row] * values[row * src.strides()[0] + c * src.strides()[1]];
  };
  const auto total = forms::make_contiguous_result({}, self.options());
  auto& total_weight = *static_cast<float*>(total.data) = 0;
  if (reduction == at::Reduction::None) {
    const auto dst = forms::make_contiguous_result({rows}, self.options());
    for (int64_t row = 0; row < rows; ++row)
      static_cast<float*>(dst.data)[row] = loss(row);
    return {dst.tensor, total.tensor};
  }
  double sum = 0, weights = 0;
  for (int64_t row = 0; row < rows; ++row) {
    sum += loss(row);
    weights += targets->weights[row];
  }
  total_weight = static_cast<float>(weights);
  const auto dst = forms::make_contiguous_result({}, self.options());
  *static_cast<float*>(dst.data) = static_cast<float>(reduction == at::Reduction::Mean ? sum / weights : sum);
  return {dst.tensor, total.tensor};
}

} // namespace ipex::ops
