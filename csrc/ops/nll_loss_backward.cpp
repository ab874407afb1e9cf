// diff_src[n, target[n]] = -weight[target[n]] * diff_dst, divided by the sum of weights when the loss was a mean; 0
// elsewhere.
//
//   schema    aten::nll_loss_backward(Tensor grad_output, Tensor self, Tensor target, Tensor? weight, int reduction,
//             SymInt ignore_index, Tensor total_weight) -> Tensor
//   src       [N, C]; f32
//   diff_dst  a scalar, or [N] without reduction; f32
//   diff_src  [N, C], contiguous
//   else      CPU fallback: other dtypes and shapes, no elements
#include <ATen/Parallel.h>
#include <ATen/core/Reduction.h>

#include <algorithm>

#include "aten/fallback.h"
#include "core/profile.h"
#include "ops/kernels.h"
#include "ops/nll_loss_rows.h"

namespace ipex::ops {

at::Tensor nll_loss_backward(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    const at::Tensor& target,
    const std::optional<at::Tensor>& weight,
    int64_t reduction,
    int64_t ignore_index,
    const at::Tensor& total_weight) {
  const bool reduced = reduction != at::Reduction::None;
  const bool fits = on_device(grad_output) && on_device(total_weight) && forms::readable(grad_output) &&
      grad_output.scalar_type() == at::kFloat && total_weight.scalar_type() == at::kFloat &&
      total_weight.numel() == 1 &&
      (reduced ? grad_output.numel() == 1 && grad_output.dim() <= 1
               : grad_output.dim() == 1 && self.dim() == 2 && grad_output.size(0) == self.size(0));
  const auto targets = fits ? NllTargets::of(self, target, weight, ignore_index) : std::nullopt;
  if (!targets)
    return fallback<at::_ops::nll_loss_backward>(
        grad_output, self, target, weight, reduction, ignore_index, total_weight);
  const auto diff_dst = forms::read(grad_output);
  const auto* gradients = static_cast<const float*>(diff_dst.data);
  const float total = *static_cast<const float*>(read_bytes(total_weight));
  const auto diff_src = forms::make_contiguous_result(self.sizes(), self.options());
  auto* to = static_cast<float*>(diff_src.data);
  const bool mean = reduction == at::Reduction::Mean;
  const int64_t classes = self.size(1), step = reduced ? 0 : diff_dst.strides()[0];
  const profile::Kernel profiled("nll_loss_backward");
  at::parallel_for(0, self.size(0), std::max<int64_t>(1, 32768 / classes), [&](int64_t begin, int64_t end) {
    std::fill(to + begin * classes, to + end * classes, 0.f);
    for (int64_t row = begin; row < end; ++row)
      if (targets->classes[row] >= 0)
        to[row * classes + targets->classes[row]] =
            -targets->weights[row] * (mean ? gradients[0] / total : gradients[row * step]);
  });
  return diff_src.tensor;
}

} // namespace ipex::ops
