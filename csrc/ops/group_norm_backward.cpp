// With x = (src - mean) * rstd and d = diff_dst * weight over the M elements of a group: diff_src = rstd * (d - sum(d)
// / M - x * sum(d * x) / M), diff_weight[c] = sum of diff_dst * x and diff_bias[c] = sum of diff_dst over the elements
// of c.
//
//   schema    aten::native_group_norm_backward(Tensor grad_out, Tensor input, Tensor mean, Tensor rstd, Tensor?
//             weight, SymInt N, SymInt C, SymInt HxW, int group, bool[3] output_mask) -> (Tensor, Tensor, Tensor)
//   src       [N, C, ...] of 2 to 5 dimensions, any strides; f32
//   diff_dst  same shape and dtype, any strides
//   params    weight, f32 and contiguous, or absent; mean and rstd [N, group] as the forward operator made them
//   results   diff_src: strides as stock PyTorch gives them, lies in channels-last order; diff_weight; diff_bias; what
//             `output_mask` leaves out is undefined
//   else      CPU fallback: other dtypes, no elements, shapes that do not fit
//   errors    RuntimeError when shapes do not fit
//   source    Wu and He, "Group Normalization", 2018
#include <ATen/ops/empty.h>

#include <algorithm>

#include "aten/fallback.h"
#include "forms/operand.h"
#include "forms/storage.h"
#include "ops/batch_norm_channels.h"
#include "ops/channel_rows.h"
#include "ops/group_norm_samples.h"
#include "ops/kernels.h"

namespace ipex::ops {

namespace {

bool is_statistic(const at::Tensor& tensor, int64_t elements) {
  return tensor.scalar_type() == at::kFloat && tensor.numel() == elements && tensor.is_contiguous();
}

at::Tensor vector_of(const std::vector<double>& values, const at::Tensor& like) {
  at::Tensor made = at::empty({static_cast<int64_t>(values.size())}, like.options());
  std::transform(values.begin(), values.end(), static_cast<float*>(write_bytes(made)), [](double value) {
    return static_cast<float>(value);
  });
  return made;
}

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> native_group_norm_backward(
    const at::Tensor& grad_out,
    const at::Tensor& input,
    const at::Tensor& mean,
    const at::Tensor& rstd,
    const std::optional<at::Tensor>& weight,
    int64_t N,
    int64_t C,
    int64_t HxW,
    int64_t group,
    std::array<bool, 3> output_mask) {
  if (!group_norm_fits(input, weight, std::nullopt, N, C, HxW, group) || !forms::readable(grad_out) ||
      grad_out.scalar_type() != at::kFloat || grad_out.sizes() != input.sizes() || !is_statistic(mean, N * group) ||
      !is_statistic(rstd, N * group))
    return fallback<at::_ops::native_group_norm_backward>(
        grad_out, input, mean, rstd, weight, N, C, HxW, group, output_mask);
  const auto order = forms::channels_last_strides(input.sizes());
  const auto src = forms::read_as(input, order), diff_dst = forms::read_as(grad_out, order);
  const auto made = forms::make_result(input.sizes(), batch_norm_strides(input), order, input.options());
  const auto *means = static_cast<const float*>(read_bytes(mean)), *rstds = static_cast<const float*>(read_bytes(rstd));
  const auto* weights = weight && weight->defined() ? static_cast<const float*>(read_bytes(*weight)) : nullptr;
  const ChannelRows shape{HxW, C};
  const int64_t size = C / group;
  const auto count = static_cast<double>(size * HxW);
  std::vector<float> centre(C), scale(C), slope(C), shift(C);
  std::vector<double> diff_weight(C), diff_bias(C);
  for (int64_t n = 0; n < N; ++n) {
    const float* sample = static_cast<const float*>(src.data) + n * HxW * C;
    const float* diff = static_cast<const float*>(diff_dst.data) + n * HxW * C;
    for (int64_t c = 0; c < C; ++c)
      centre[c] = means[n * group + c / size];
    const auto sums = channel_products(sample, diff, shape, centre.data());
    for (int64_t g = 0; g < group; ++g) {
      const double deviation = rstds[n * group + g];
      double diff_sum = 0, product = 0;
      for (int64_t c = g * size; c < (g + 1) * size; ++c) {
        const double factor = weights ? weights[c] : 1;
        diff_sum += sums.diff[c] * factor;
        product += sums.product[c] * factor;
        diff_weight[c] += sums.product[c] * deviation;
        diff_bias[c] += sums.diff[c];
        scale[c] = static_cast<float>(deviation * factor);
      }
      std::fill_n(
          slope.begin() + g * size, size, static_cast<float>(-product * deviation * deviation * deviation / count));
      std::fill_n(shift.begin() + g * size, size, static_cast<float>(-diff_sum * deviation / count));
    }
    channel_gradient(
        sample,
        diff,
        static_cast<float*>(made.data) + n * HxW * C,
        shape,
        {centre.data(), scale.data(), slope.data(), shift.data()});
  }
  return {
      output_mask[0] ? made.tensor : at::Tensor(),
      output_mask[1] ? vector_of(diff_weight, input) : at::Tensor(),
      output_mask[2] ? vector_of(diff_bias, input) : at::Tensor()};
}

} // namespace ipex::ops
