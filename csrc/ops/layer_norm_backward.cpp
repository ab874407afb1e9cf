// With x = (src - mean) * rstd and g = diff_dst * weight over N channels:
// diff_src = rstd * (g - sum_c g / N - x * sum_c (g * x) / N), diff_weight = sum_rows diff_dst * x and
// diff_bias = sum_rows diff_dst.
//
//   schema    aten::native_layer_norm_backward(Tensor grad_out, Tensor input, SymInt[] normalized_shape, Tensor mean,
//             Tensor rstd, Tensor? weight, Tensor? bias, bool[3] output_mask) -> (Tensor, Tensor, Tensor)
//   src       any strides; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   params    weight and bias, each f32 or of the dtype of src, or absent; mean and rstd as the forward operator made
//             them
//   results   diff_src, diff_weight, diff_bias, contiguous; what `output_mask` leaves out is undefined
//   else      CPU fallback: other dtypes, no elements, one channel, shapes that do not fit, a gradient asked for an
//             absent parameter
//   errors    RuntimeError when a shape does not fit `normalized_shape`
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "aten/fallback.h"
#include "aten/on_device.h"
#include "core/profile.h"
#include "forms/operand.h"
#include "forms/storage.h"
#include "onednn/engine.h"
#include "ops/convert.h"
#include "ops/kernels.h"
#include "ops/layer_norm_rows.h"
#include "vec/rows.h"

namespace ipex::ops {

namespace {

bool is_statistic(const at::Tensor& tensor, int64_t rows) {
  return on_device(tensor) && is_plain_float(tensor) && tensor.numel() == rows;
}

// A row in float32: where it lies, or converted into `buffer`.
const float* row_of(const void* data, int64_t row, int64_t channels, c10::ScalarType dtype, float* buffer) {
  const int64_t size = dtype == at::kFloat ? 4 : 2;
  const void* from = static_cast<const char*>(data) + row * channels * size;
  if (dtype == at::kFloat)
    return static_cast<const float*>(from);
  to_float(dtype, from, buffer, channels);
  return buffer;
}

// The sum over threads of their shares, as a parameter's gradient.
at::Tensor add_shares(const std::vector<float>& shares, int64_t offset, int64_t threads, const at::Tensor& parameter) {
  const int64_t channels = parameter.numel(), stride = 2 * channels;
  std::vector<float> sum(channels);
  for (int64_t thread = 0; thread < threads; ++thread)
    for (int64_t c = 0; c < channels; ++c)
      sum[c] += shares[thread * stride + offset * channels + c];
  const auto result = forms::make_contiguous_result(parameter.sizes(), parameter.options());
  if (parameter.scalar_type() == at::kFloat)
    std::copy(sum.begin(), sum.end(), static_cast<float*>(result.data));
  else
    from_float(parameter.scalar_type(), sum.data(), result.data, channels);
  return result.tensor;
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
  const bool native = rows && on_device(grad_out) && is_plain_float(grad_out) &&
      grad_out.scalar_type() == input.scalar_type() && grad_out.sizes() == input.sizes() &&
      is_statistic(mean, rows->rows) && is_statistic(rstd, rows->rows) &&
      layer_norm_accepts(weight, input, normalized_shape) && layer_norm_accepts(bias, input, normalized_shape) &&
      (is_given(weight) || !output_mask[1]) && (is_given(bias) || !output_mask[2]);
  if (!native)
    return fallback<at::_ops::native_layer_norm_backward>(
        grad_out, input, normalized_shape, mean, rstd, weight, bias, output_mask);

  const auto dtype = input.scalar_type();
  const bool reorders = onednn::supports(dtype);
  const at::Tensor plain_src = reorders ? input : input.contiguous();
  const at::Tensor plain_diff = reorders ? grad_out : grad_out.contiguous();
  const auto row_major = forms::row_major_strides(input.sizes());
  const auto src = forms::read_as(plain_src, row_major), diff_dst = forms::read_as(plain_diff, row_major);
  const Floats scale(weight), means(mean), rstds(rstd);
  const auto [count, channels] = *rows;
  forms::Result diff_src;
  if (output_mask[0])
    diff_src = forms::make_contiguous_result(input.sizes(), input.options());
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), std::max<int64_t>(1, count * channels / 8192));
  std::vector<float> shares(output_mask[1] || output_mask[2] ? 2 * threads * channels : 0);
  const profile::Kernel profiled("layer_norm_backward");
  at::parallel_for(0, threads, 1, [&, count = count, channels = channels](int64_t first, int64_t last) {
    std::vector<float> buffer(dtype == at::kFloat ? 0 : 3 * channels);
    for (int64_t thread = first; thread < last; ++thread) {
      float* share = shares.data() + thread * 2 * channels;
      for (int64_t row = thread * count / threads; row < (thread + 1) * count / threads; ++row) {
        const float* x = row_of(src.data, row, channels, dtype, buffer.data());
        const float* g = row_of(diff_dst.data, row, channels, dtype, buffer.data() + channels);
        float* out = nullptr;
        if (output_mask[0])
          out =
              dtype == at::kFloat ? static_cast<float*>(diff_src.data) + row * channels : buffer.data() + 2 * channels;
        vec::row_functions().layer_norm_backward(
            g,
            x,
            scale.data(),
            means.data()[row],
            rstds.data()[row],
            channels,
            out,
            output_mask[1] ? share : nullptr,
            output_mask[2] ? share + channels : nullptr);
        if (out && dtype != at::kFloat)
          from_float(dtype, out, static_cast<uint16_t*>(diff_src.data) + row * channels, channels);
      }
    }
  });
  return {
      diff_src.tensor,
      output_mask[1] ? add_shares(shares, 0, threads, *weight) : at::Tensor(),
      output_mask[2] ? add_shares(shares, 1, threads, *bias) : at::Tensor()};
}

} // namespace ipex::ops
