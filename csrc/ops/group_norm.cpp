// group_norm(src)[n, c, p] = (src[n, c, p] - mean[n, g]) * rstd[n, g] * weight[c] + bias[c] for the group g of c, with
// mean and rstd = 1 / sqrt(variance + eps) over the channels of a group and all p.
//
//   schema  aten::native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, SymInt HxW, int
//           group, float eps) -> (Tensor, Tensor, Tensor)
//   src     [N, C, ...] of 2 to 5 dimensions, any strides; f32
//   params  weight and bias, each f32 and contiguous, or absent
//   dst     same shape, strides as stock PyTorch gives them; lies in channels-last order; mean and rstd [N, group]
//   else    CPU fallback: other dtypes, no elements, shapes that do not fit
//   errors  RuntimeError when shapes do not fit
//   source  Wu and He, "Group Normalization", 2018
#include <ATen/ops/empty.h>

#include <cmath>
#include <limits>

#include "aten/fallback.h"
#include "forms/operand.h"
#include "forms/storage.h"
#include "ops/batch_norm_channels.h"
#include "ops/channel_rows.h"
#include "ops/group_norm_samples.h"
#include "ops/kernels.h"

namespace ipex::ops {

bool group_norm_fits(
    const at::Tensor& src,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias,
    int64_t batch,
    int64_t channels,
    int64_t plane,
    int64_t groups) {
  return batch_norm_fits({src, given(weight), given(bias), {}, {}}) && groups > 0 && channels % groups == 0 &&
      src.size(0) == batch && src.size(1) == channels && src.numel() == batch * channels * plane &&
      src.is_contiguous(src.suggest_memory_format());
}

namespace {

struct Statistics {
  float mean;
  double variance;
};

// Of the channels from `first` to `last`, which have `count` elements each.
Statistics of_group(const ChannelMoments& moments, int64_t first, int64_t last, double count) {
  double sum = 0, squares = 0;
  for (int64_t c = first; c < last; ++c)
    sum += moments.sum[c];
  const double mean = sum / (count * static_cast<double>(last - first));
  for (int64_t c = first; c < last; ++c) {
    const double distance = moments.sum[c] / count - mean;
    squares += moments.squares[c] + distance * distance * count;
  }
  // As in stock PyTorch: infinities have no mean, and a variance that overflows float32 is infinite.
  const auto variance = static_cast<float>(squares / (count * static_cast<double>(last - first)));
  return {std::isfinite(mean) ? static_cast<float>(mean) : std::numeric_limits<float>::quiet_NaN(), variance};
}

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> native_group_norm(
    const at::Tensor& input,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias,
    int64_t N,
    int64_t C,
    int64_t HxW,
    int64_t group,
    double eps) {
  if (!group_norm_fits(input, weight, bias, N, C, HxW, group))
    return fallback<at::_ops::native_group_norm>(input, weight, bias, N, C, HxW, group, eps);
  const auto order = forms::channels_last_strides(input.sizes());
  const auto src = forms::read_as(input, order);
  const auto dst = forms::make_result(input.sizes(), batch_norm_strides(input), order, input.options());
  const at::Tensor mean = at::empty({N, group}, input.options()), rstd = at::empty({N, group}, input.options());
  auto *means = static_cast<float*>(write_bytes(mean)), *rstds = static_cast<float*>(write_bytes(rstd));
  const auto* scale_of = weight && weight->defined() ? static_cast<const float*>(read_bytes(*weight)) : nullptr;
  const auto* shift_of = bias && bias->defined() ? static_cast<const float*>(read_bytes(*bias)) : nullptr;
  const ChannelRows shape{HxW, C};
  std::vector<float> scale(C), shift(C);
  for (int64_t n = 0; n < N; ++n) {
    const float* sample = static_cast<const float*>(src.data) + n * HxW * C;
    const auto moments = channel_moments(sample, shape);
    for (int64_t g = 0; g < group; ++g) {
      const auto [centre, variance] = of_group(moments, C / group * g, C / group * (g + 1), static_cast<double>(HxW));
      const auto deviation = static_cast<float>(1 / std::sqrt(variance + eps));
      means[n * group + g] = centre;
      rstds[n * group + g] = deviation;
      for (int64_t c = C / group * g; c < C / group * (g + 1); ++c) {
        scale[c] = deviation * (scale_of ? scale_of[c] : 1);
        shift[c] = (shift_of ? shift_of[c] : 0) - centre * scale[c];
      }
    }
    channel_scale_shift(sample, static_cast<float*>(dst.data) + n * HxW * C, shape, scale.data(), shift.data());
  }
  return {dst.tensor, mean, rstd};
}

} // namespace ipex::ops
