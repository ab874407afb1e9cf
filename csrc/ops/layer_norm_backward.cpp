// With x = (src - mean) * rstd and g = diff_dst * weight over N channels:
// diff_src = rstd * (g - sum_c g / N - x * sum_c (g * x) / N), diff_weight = sum_rows diff_dst * x and
// diff_bias = sum_rows diff_dst.
//
//   schema    aten::native_layer_norm_backward(Tensor grad_out, Tensor input, SymInt[] normalized_shape, Tensor mean,
//             Tensor rstd, Tensor? weight, Tensor? bias, bool[3] output_mask) -> (Tensor, Tensor, Tensor)
//   src       any strides; f32
//   diff_dst  same shape and dtype, any strides
//   params    weight and bias, each f32 and contiguous, or absent; mean and rstd as the forward operator made them
//   results   diff_src, diff_weight, diff_bias, contiguous; what `output_mask` leaves out is undefined
//   else      CPU fallback: other dtypes, no elements, one channel, shapes that do not fit, a gradient asked for an
//             absent parameter, a variance that had overflowed
//   errors    RuntimeError when a shape does not fit `normalized_shape`
//   source    oneDNN developer guide, "Layer Normalization"
#include <ATen/ops/empty.h>

#include "aten/fallback.h"
#include "forms/storage.h"
#include "onednn/layer_norm.h"
#include "ops/kernels.h"
#include "ops/layer_norm_rows.h"

namespace ipex::ops {

namespace {

// Variances that give `rstd` again when oneDNN computes 1 / sqrt(variance + 0): the backward operator gets no epsilon.
// Undefined when a variance had overflowed: the order of multiplications then decides between 0 and NaN.
at::Tensor variance_of(const at::Tensor& rstd) {
  at::Tensor variance = at::empty(rstd.sizes(), rstd.options());
  const auto* from = static_cast<const float*>(read_bytes(rstd));
  auto* to = static_cast<float*>(write_bytes(variance));
  for (int64_t row = 0; row < rstd.numel(); ++row) {
    if (from[row] == 0)
      return {};
    to[row] = 1 / (from[row] * from[row]);
  }
  return variance;
}

bool is_statistic(const at::Tensor& tensor, int64_t rows) {
  return tensor.scalar_type() == at::kFloat && tensor.numel() == rows && tensor.is_contiguous();
}

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> native_layer_norm_backward(
    const at::Tensor& grad_out,
    const at::Tensor& input,
    c10::IntArrayRef normalized_shape,
    const at::Tensor& mean,
    const at::Tensor& rstd,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias,
    std::array<bool, 3> output_mask) {
  const auto rows = layer_norm_rows(input, normalized_shape);
  const bool native = rows && grad_out.scalar_type() == at::kFloat && grad_out.sizes() == input.sizes() &&
      is_statistic(mean, rows->sizes[0]) && is_statistic(rstd, rows->sizes[0]) &&
      layer_norm_accepts(weight, normalized_shape) && layer_norm_accepts(bias, normalized_shape) &&
      (is_given(weight) || !output_mask[1]) && (is_given(bias) || !output_mask[2]);
  const auto flags = onednn::LayerNormFlags::of(is_given(weight), is_given(bias));
  const auto kernel = native ? onednn::find(onednn::LayerNormBackward{flags, 0, *rows}) : nullptr;
  const at::Tensor variance = kernel ? variance_of(rstd) : at::Tensor();
  if (!variance.defined())
    return fallback<at::_ops::native_layer_norm_backward>(
        grad_out, input, normalized_shape, mean, rstd, weight, bias, output_mask);

  const at::Tensor src = input.contiguous();
  const at::Tensor diff_dst = grad_out.contiguous();
  at::Tensor diff_src = at::empty(src.sizes(), src.options());
  at::Tensor diff_weight = is_given(weight) ? at::empty(normalized_shape, src.options()) : at::Tensor();
  at::Tensor diff_bias = is_given(bias) ? at::empty(normalized_shape, src.options()) : at::Tensor();
  kernel->run(
      {{DNNL_ARG_SRC, read_bytes(src)},
       {DNNL_ARG_MEAN, read_bytes(mean)},
       {DNNL_ARG_VARIANCE, read_bytes(variance)},
       {DNNL_ARG_DIFF_DST, read_bytes(diff_dst)},
       {DNNL_ARG_SCALE, is_given(weight) ? read_bytes(*weight) : nullptr},
       {DNNL_ARG_SHIFT, is_given(bias) ? read_bytes(*bias) : nullptr}, // not used, but oneDNN 3.2 counts it
       {DNNL_ARG_DIFF_SRC, write_bytes(diff_src)},
       {DNNL_ARG_DIFF_SCALE, is_given(weight) ? write_bytes(diff_weight) : nullptr},
       {DNNL_ARG_DIFF_SHIFT, is_given(bias) ? write_bytes(diff_bias) : nullptr}});
  return {
      output_mask[0] ? diff_src : at::Tensor(),
      output_mask[1] ? diff_weight : at::Tensor(),
      output_mask[2] ? diff_bias : at::Tensor()};
}

} // namespace ipex::ops
