// Passes over a matrix of channels-last values: one row per pixel of the batch, one column per channel.
//
// Sums are taken in float32 over blocks of rows that fit the cache and then in float64, on all cores.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "forms/operand.h"

namespace ipex::ops {

struct ChannelRows {
  int64_t rows;
  int64_t channels;
};

// Sum and sum of squared deviations from the mean of each column.
struct ChannelMoments {
  std::vector<double> sum;
  std::vector<double> squares;
};
ChannelMoments channel_moments(const float* src, ChannelRows shape);

// Sum of each column of `diff`, and of diff * (src - mean).
struct ChannelProducts {
  std::vector<double> diff;
  std::vector<double> product;
};
ChannelProducts channel_products(const float* src, const float* diff, ChannelRows shape, const float* mean);

// Sum of each column.
std::vector<double> channel_sums(const float* src, ChannelRows shape);

// dst[r, c] = src[r, c] * scale[c] + shift[c].
void channel_scale_shift(const float* src, float* dst, ChannelRows shape, const float* scale, const float* shift);

// dst[r, c] = diff[r, c] * scale[c] + (src[r, c] - mean[c]) * slope[c] + shift[c].
struct ChannelGradient {
  const float* mean;
  const float* scale;
  const float* slope;
  const float* shift;
};
void channel_gradient(const float* src, const float* diff, float* dst, ChannelRows shape, ChannelGradient gradient);

} // namespace ipex::ops
