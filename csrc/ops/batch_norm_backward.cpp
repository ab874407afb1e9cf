// With x = (src - mean) * invstd over the N elements of a channel: diff_weight = sum(diff_dst * x), diff_bias =
// sum(diff_dst) and diff_src = weight * invstd * (diff_dst - diff_bias / N - x * diff_weight / N) in training. In
// evaluation the statistics are constants: diff_src = weight * invstd * diff_dst.
//
//   schema    aten::native_batch_norm_backward(Tensor grad_out, Tensor input, Tensor? weight, Tensor? running_mean,
//             Tensor? running_var, Tensor? save_mean, Tensor? save_invstd, bool train, float eps, bool[3] output_mask) ->
//             (Tensor, Tensor, Tensor)
//   src       [N, C], [N, C, L], [N, C, H, W] or [N, C, D, H, W], any strides; f32
//   diff_dst  same shape and dtype, any strides
//   params    weight, running and saved statistics, each f32 and contiguous, or absent
//   results   diff_src as src, lies in channels-last order; diff_weight, diff_bias; what `output_mask` leaves out is
//             undefined
//   else      CPU fallback: other dtypes, no elements, shapes that do not fit, a gradient asked for an absent weight
//   errors    RuntimeError when shapes do not fit
//   source    Ioffe and Szegedy, "Batch Normalization", 2015
#include <ATen/ops/empty.h>

#include <cmath>

#include "aten/fallback.h"
#include "forms/storage.h"
#include "ops/batch_norm_channels.h"
#include "ops/kernels.h"

namespace ipex::ops {

namespace {

const float* values(const at::Tensor& tensor) {
  return static_cast<const float*>(read_bytes(tensor));
}

at::Tensor vector_of(const std::vector<float>& values, const at::Tensor& like) {
  at::Tensor made = at::empty({static_cast<int64_t>(values.size())}, like.options());
  std::copy(values.begin(), values.end(), static_cast<float*>(write_bytes(made)));
  return made;
}

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> native_batch_norm_backward(
    const at::Tensor& grad_out,
    const at::Tensor& input,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& running_mean,
    const std::optional<at::Tensor>& running_var,
    const std::optional<at::Tensor>& save_mean,
    const std::optional<at::Tensor>& save_invstd,
    bool train,
    double eps,
    std::array<bool, 3> output_mask) {
  // Which statistics count depends on the mode; the others may be of any shape.
  const BatchNormArguments arguments{
      input,
      given(weight),
      {},
      train ? given(save_mean) : given(running_mean),
      train ? given(save_invstd) : given(running_var)};
  const at::Tensor &scale_of = arguments.weight, &mean_of = arguments.running_mean,
                   &deviation_of = arguments.running_var;
  if (!batch_norm_fits(arguments) || !mean_of.defined() || !deviation_of.defined() || !forms::readable(grad_out) ||
      grad_out.scalar_type() != at::kFloat || grad_out.sizes() != input.sizes() ||
      (output_mask[1] && !scale_of.defined()))
    return fallback<at::_ops::native_batch_norm_backward>(
        grad_out, input, weight, running_mean, running_var, save_mean, save_invstd, train, eps, output_mask);

  const int64_t channels = input.size(1);
  const ChannelRows shape{input.numel() / channels, channels};
  const auto order = forms::channels_last_strides(input.sizes());
  const auto src = forms::read_as(input, order), diff_dst = forms::read_as(grad_out, order);
  const auto *from = static_cast<const float*>(src.data), *diff = static_cast<const float*>(diff_dst.data);
  const float *mean = values(mean_of), *deviation = values(deviation_of);

  ChannelProducts sums;
  if (train || output_mask[1] || output_mask[2])
    sums = channel_products(from, diff, shape, mean);
  std::vector<float> scale(channels), slope(channels), shift(channels), diff_weight(channels), diff_bias(channels);
  const auto count = static_cast<double>(shape.rows);
  for (int64_t c = 0; c < channels; ++c) {
    const float invstd = train ? deviation[c] : static_cast<float>(1 / std::sqrt(deviation[c] + eps));
    scale[c] = invstd * (scale_of.defined() ? values(scale_of)[c] : 1);
    if (sums.diff.empty())
      continue;
    diff_weight[c] = static_cast<float>(sums.product[c] * invstd);
    diff_bias[c] = static_cast<float>(sums.diff[c]);
    shift[c] = static_cast<float>(-sums.diff[c] / count * scale[c]);
    slope[c] = static_cast<float>(-sums.product[c] / count * invstd * invstd * scale[c]);
  }
  std::tuple<at::Tensor, at::Tensor, at::Tensor> results;
  if (output_mask[0]) {
    const auto made = forms::make_result(input.sizes(), batch_norm_strides(input), order, input.options());
    auto* to = static_cast<float*>(made.data);
    if (train)
      channel_gradient(from, diff, to, shape, {mean, scale.data(), slope.data(), shift.data()});
    else
      channel_scale_shift(diff, to, shape, scale.data(), std::vector<float>(channels).data());
    std::get<0>(results) = made.tensor;
  }
  if (output_mask[1])
    std::get<1>(results) = vector_of(diff_weight, input);
  if (output_mask[2])
    std::get<2>(results) = vector_of(diff_bias, input);
  return results;
}

} // namespace ipex::ops
