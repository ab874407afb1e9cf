// batch_norm(src)[n, c, p] = (src[n, c, p] - mean[c]) * invstd[c] * weight[c] + bias[c] and
// invstd = 1 / sqrt(variance + eps), with the statistics of the batch in training, which also move the running ones, and with the running ones otherwise.
//
//   schema  aten::native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor?
//           running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)
//   src     [N, C], [N, C, L], [N, C, H, W] or [N, C, D, H, W], any strides; f32, bf16
//   params  weight, bias, running_mean and running_var, each contiguous, or absent; f32, or all bf16 in evaluation
//   dst     same shape, strides as stock PyTorch gives them; lies in channels-last order; mean and invstd of the batch,
//           or two empty tensors in evaluation
//   else    CPU fallback: other dtypes, no elements, parameters that do not fit
//   errors  RuntimeError when shapes do not fit or evaluation lacks running statistics
//   source  Ioffe and Szegedy, "Batch Normalization", 2015; Chan et al., "Updating Formulae and a Pairwise Algorithm for
//           Computing Sample Variances", 1979
#include "aten/fallback.h"
#include "ops/batch_norm_channels.h"
#include "ops/kernels.h"

namespace ipex::ops {

std::tuple<at::Tensor, at::Tensor, at::Tensor> native_batch_norm(
    const at::Tensor& input,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias,
    const std::optional<at::Tensor>& running_mean,
    const std::optional<at::Tensor>& running_var,
    bool training,
    double momentum,
    double eps) {
  const BatchNormArguments arguments{input, given(weight), given(bias), given(running_mean), given(running_var)};
  const bool has_statistics = arguments.running_mean.defined() && arguments.running_var.defined();
  if (!batch_norm_forward_fits(arguments, training) || (!training && !has_statistics))
    return fallback<at::_ops::native_batch_norm>(
        input, weight, bias, running_mean, running_var, training, momentum, eps);
  return run_batch_norm(arguments, training, momentum, eps);
}

} // namespace ipex::ops
