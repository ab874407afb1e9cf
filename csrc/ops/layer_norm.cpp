// layer_norm(src)[c] = (src[c] - mean) * rstd * weight[c] + bias[c], with mean and rstd = 1 / sqrt(variance + eps) over
// the dimensions of `normalized_shape`.
//
//   schema  aten::native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float
//           eps) -> (Tensor, Tensor, Tensor)
//   src     any strides; f32
//   params  weight and bias, each f32 and contiguous, or absent
//   dst     same shape, contiguous; mean and rstd with the normalised dimensions of size 1
//   else    CPU fallback: other dtypes, no elements, one channel, shapes that do not fit, a variance above 3.4e38
//   errors  RuntimeError when a shape does not fit `normalized_shape`
//   source  oneDNN developer guide, "Layer Normalization"
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "aten/fallback.h"
#include "forms/storage.h"
#include "onednn/layer_norm.h"
#include "ops/kernels.h"
#include "ops/layer_norm_rows.h"

namespace ipex::ops {

namespace {

// Turns the variance that oneDNN left in `rstd` into what PyTorch keeps. A row that holds NaN or infinities is NaN in
// all three results, whatever of it oneDNN could compute. False when the variance of finite values overflowed.
bool finish_statistics(const at::Tensor& dst, const at::Tensor& mean, const at::Tensor& rstd, double eps) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  const int64_t channels = dst.numel() / rstd.numel();
  auto* values = static_cast<float*>(write_bytes(dst));
  auto* means = static_cast<float*>(write_bytes(mean));
  auto* rstds = static_cast<float*>(write_bytes(rstd));
  for (int64_t row = 0; row < rstd.numel(); ++row) {
    const float variance = rstds[row];
    rstds[row] = 1 / std::sqrt(variance + static_cast<float>(eps));
    if (C10_LIKELY(std::isfinite(variance)))
      continue;
    if (std::isfinite(means[row]) && !std::isnan(variance))
      return false;
    means[row] = rstds[row] = kNaN;
    std::fill_n(values + row * channels, channels, kNaN);
  }
  return true;
}

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> native_layer_norm(
    const at::Tensor& input,
    c10::IntArrayRef normalized_shape,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias,
    double eps) {
  const auto rows = layer_norm_rows(input, normalized_shape);
  const auto flags = onednn::LayerNormFlags::of(is_given(weight), is_given(bias));
  const auto kernel = rows && layer_norm_accepts(weight, normalized_shape) && layer_norm_accepts(bias, normalized_shape)
      ? onednn::find(onednn::LayerNormForward{flags, eps, *rows})
      : nullptr;
  if (!kernel)
    return fallback<at::_ops::native_layer_norm>(input, normalized_shape, weight, bias, eps);

  const at::Tensor src = input.contiguous();
  c10::DimVector statistics_shape(input.sizes());
  std::fill(statistics_shape.end() - normalized_shape.size(), statistics_shape.end(), 1);
  at::Tensor dst = at::empty(src.sizes(), src.options());
  at::Tensor mean = at::empty(statistics_shape, src.options());
  at::Tensor rstd = at::empty(statistics_shape, src.options());
  kernel->run(
      {{DNNL_ARG_SRC, read_bytes(src)},
       {DNNL_ARG_SCALE, is_given(weight) ? read_bytes(*weight) : nullptr},
       {DNNL_ARG_SHIFT, is_given(bias) ? read_bytes(*bias) : nullptr},
       {DNNL_ARG_DST, write_bytes(dst)},
       {DNNL_ARG_MEAN, write_bytes(mean)},
       {DNNL_ARG_VARIANCE, write_bytes(rstd)}});
  if (!finish_statistics(dst, mean, rstd, eps))
    return fallback<at::_ops::native_layer_norm>(input, normalized_shape, weight, bias, eps);
  return {dst, mean, rstd};
}

} // namespace ipex::ops
