// Batch normalisation as in batch_norm.cpp, whose schema says that the running statistics are written.
//
//   schema  aten::_native_batch_norm_legit(Tensor input, Tensor? weight, Tensor? bias, Tensor(a!) running_mean,
//           Tensor(b!) running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)
//   src     [N, C], [N, C, L], [N, C, H, W] or [N, C, D, H, W], any strides; f32, bf16
//   params  weight and bias, or absent, running_mean and running_var; contiguous; f32, or all bf16 in evaluation
//   dst     same shape, strides as stock PyTorch gives them; lies in channels-last order; mean and invstd of the batch,
//           or two empty tensors in evaluation
//   else    CPU fallback: other dtypes, no elements, parameters that do not fit
//   errors  RuntimeError when shapes do not fit
//   source  as batch_norm.cpp
#include "aten/fallback.h"
#include "ops/batch_norm_channels.h"
#include "ops/kernels.h"

namespace ipex::ops {

std::tuple<at::Tensor, at::Tensor, at::Tensor> _native_batch_norm_legit(
    const at::Tensor& input,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias,
    at::Tensor& running_mean,
    at::Tensor& running_var,
    bool training,
    double momentum,
    double eps) {
  const BatchNormArguments arguments{input, given(weight), given(bias), running_mean, running_var};
  if (!batch_norm_forward_fits(arguments, training) || !running_mean.defined() || !running_var.defined())
    return fallback<at::_ops::_native_batch_norm_legit>(
        input, weight, bias, running_mean, running_var, training, momentum, eps);
  return run_batch_norm(arguments, training, momentum, eps);
}

} // namespace ipex::ops
