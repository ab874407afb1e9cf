// Batch normalisation as in batch_norm.cpp, always with the statistics of the batch.
//
//   schema  aten::_native_batch_norm_legit.no_stats(Tensor input, Tensor? weight, Tensor? bias, bool training, float
//           momentum, float eps) -> (Tensor, Tensor, Tensor)
//   src     [N, C], [N, C, L], [N, C, H, W] or [N, C, D, H, W], any strides; f32, bf16
//   params  weight and bias, each f32 and contiguous, or absent
//   dst     same shape, strides as stock PyTorch gives them; lies in channels-last order; mean and invstd of the batch
//   else    CPU fallback: evaluation, other dtypes, no elements, parameters that do not fit
//   errors  RuntimeError when shapes do not fit
//   source  as batch_norm.cpp
#include "aten/fallback.h"
#include "ops/batch_norm_channels.h"
#include "ops/kernels.h"

namespace ipex::ops {

std::tuple<at::Tensor, at::Tensor, at::Tensor> _native_batch_norm_legit_no_stats(
    const at::Tensor& input,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias,
    bool training,
    double momentum,
    double eps) {
  const BatchNormArguments arguments{input, given(weight), given(bias), {}, {}};
  if (!training || !batch_norm_forward_fits(arguments, training))
    return fallback<at::_ops::_native_batch_norm_legit_no_stats>(input, weight, bias, training, momentum, eps);
  return run_batch_norm(arguments, training, momentum, eps);
}

} // namespace ipex::ops
