// Loops over channels-last values, compiled for three instruction sets.
#include "ops/channel_rows.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/profile.h"
#include "core/target_clones.h"
#include "vec/rows.h"

namespace ipex::ops {

namespace {

// Elements that one thread should have at least, so that starting it pays.
constexpr int64_t kGrain = 16384;
// Elements of a block of rows: it is read twice, the second time from the cache.
constexpr int64_t kBlock = 16384;

// Four rows at a time: sums pass through memory once for four additions, and rounding errors grow more slowly.
IPEX_TARGET_CLONES void add_rows(const float* src, int64_t rows, int64_t channels, float* __restrict sum) {
  std::fill_n(sum, channels, 0.f);
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4, src += 4 * channels) {
    const float *a = src, *b = a + channels, *c = b + channels, *d = c + channels;
    for (int64_t i = 0; i < channels; ++i)
      sum[i] += (a[i] + b[i]) + (c[i] + d[i]);
  }
  for (; row < rows; ++row, src += channels)
    for (int64_t i = 0; i < channels; ++i)
      sum[i] += src[i];
}

IPEX_TARGET_CLONES void add_squares(
    const float* src,
    int64_t rows,
    int64_t channels,
    const float* __restrict mean,
    float* __restrict sum) {
  std::fill_n(sum, channels, 0.f);
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4, src += 4 * channels) {
    const float *a = src, *b = a + channels, *c = b + channels, *d = c + channels;
    for (int64_t i = 0; i < channels; ++i) {
      const float m = mean[i], w = a[i] - m, x = b[i] - m, y = c[i] - m, z = d[i] - m;
      sum[i] += (w * w + x * x) + (y * y + z * z);
    }
  }
  for (; row < rows; ++row, src += channels)
    for (int64_t i = 0; i < channels; ++i)
      sum[i] += (src[i] - mean[i]) * (src[i] - mean[i]);
}

IPEX_TARGET_CLONES void add_products(
    const float* src,
    const float* diff,
    int64_t rows,
    int64_t channels,
    const float* __restrict mean,
    float* __restrict sum,
    float* __restrict product) {
  std::fill_n(sum, channels, 0.f);
  std::fill_n(product, channels, 0.f);
  int64_t row = 0;
  for (; row + 2 <= rows; row += 2, src += 2 * channels, diff += 2 * channels) {
    const float *a = src, *b = a + channels, *p = diff, *q = p + channels;
    for (int64_t i = 0; i < channels; ++i) {
      sum[i] += p[i] + q[i];
      product[i] += (a[i] - mean[i]) * p[i] + (b[i] - mean[i]) * q[i];
    }
  }
  for (; row < rows; ++row, src += channels, diff += channels)
    for (int64_t i = 0; i < channels; ++i) {
      sum[i] += diff[i];
      product[i] += (src[i] - mean[i]) * diff[i];
    }
}

IPEX_TARGET_CLONES void accumulate(const float* from, int64_t count, double* __restrict to) {
  for (int64_t i = 0; i < count; ++i)
    to[i] += from[i];
}

IPEX_TARGET_CLONES void gradient_rows(
    const float* src,
    const float* diff,
    float* __restrict dst,
    int64_t rows,
    int64_t channels,
    const ChannelGradient& g) {
  const float* __restrict mean = g.mean;
  const float* __restrict scale = g.scale;
  const float* __restrict slope = g.slope;
  const float* __restrict shift = g.shift;
  for (int64_t row = 0; row < rows; ++row, src += channels, diff += channels, dst += channels)
    for (int64_t i = 0; i < channels; ++i)
      dst[i] = diff[i] * scale[i] + (src[i] - mean[i]) * slope[i] + shift[i];
}

IPEX_TARGET_CLONES void means_of(const float* sum, int64_t count, float rows, float* __restrict mean) {
  for (int64_t i = 0; i < count; ++i)
    mean[i] = sum[i] / rows;
}

// Adds a block of `count` rows with float sums to `to`, which stands for `before` rows: the squares of two parts are
// those of the parts and what the distance of their means adds.
IPEX_TARGET_CLONES void merge_block(
    const float* sum,
    const float* squares,
    double before,
    double count,
    int64_t channels,
    double* __restrict to_sum,
    double* __restrict to_squares) {
  const double weight = before > 0 ? before * count / (before + count) : 0;
  const double to_mean = before > 0 ? 1 / before : 0;
  for (int64_t i = 0; i < channels; ++i) {
    const double distance = sum[i] / count - to_sum[i] * to_mean;
    to_squares[i] += squares[i] + (before > 0 ? distance * distance * weight : 0);
    to_sum[i] += sum[i];
  }
}

void merge_parts(ChannelMoments& to, const ChannelMoments& from, double before, double count) {
  for (size_t i = 0; i < to.sum.size(); ++i) {
    if (before > 0) {
      const double distance = from.sum[i] / count - to.sum[i] / before;
      to.squares[i] += distance * distance * before * count / (before + count);
    }
    to.squares[i] += from.squares[i];
    to.sum[i] += from.sum[i];
  }
}

// Rows in equal parts, one per thread, as far as that pays.
int64_t parts_of(ChannelRows shape) {
  const int64_t most = std::max<int64_t>(1, shape.rows * shape.channels / kGrain);
  return std::min({most, static_cast<int64_t>(at::get_num_threads()), std::max<int64_t>(shape.rows, 1)});
}

// Calls block(part, first row, rows) for the blocks of every part, parts in parallel.
template <class Block>
void each_block(ChannelRows shape, int64_t parts, Block block) {
  const int64_t most = std::max<int64_t>(16, kBlock / shape.channels / 4 * 4);
  const profile::Kernel profiled("channel_sums");
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t last = shape.rows * (part + 1) / parts;
      for (int64_t row = shape.rows * part / parts; row < last; row += most)
        block(part, row, std::min(most, last - row));
    }
  });
}

template <class Rows>
void each_rows(ChannelRows shape, Rows rows) {
  const profile::Kernel profiled("channel_rows");
  at::parallel_for(0, shape.rows, std::max<int64_t>(1, kGrain / shape.channels), [&](int64_t begin, int64_t end) {
    rows(begin * shape.channels, end - begin);
  });
}

std::vector<double> sum_of(const std::vector<std::vector<double>>& parts) {
  std::vector<double> sum = parts.front();
  for (size_t part = 1; part < parts.size(); ++part)
    for (size_t i = 0; i < sum.size(); ++i)
      sum[i] += parts[part][i];
  return sum;
}

} // namespace

ChannelMoments channel_moments(const float* src, ChannelRows shape) {
  const int64_t parts = parts_of(shape), channels = shape.channels;
  std::vector<ChannelMoments> moments(parts, {std::vector<double>(channels), std::vector<double>(channels)});
  std::vector<std::vector<float>> work(parts, std::vector<float>(3 * channels));
  std::vector<int64_t> counts(parts);
  each_block(shape, parts, [&](int64_t part, int64_t row, int64_t count) {
    float *sum = work[part].data(), *mean = sum + channels, *squares = mean + channels;
    add_rows(src + row * channels, count, channels, sum);
    means_of(sum, channels, static_cast<float>(count), mean);
    add_squares(src + row * channels, count, channels, mean, squares);
    merge_block(
        sum,
        squares,
        static_cast<double>(counts[part]),
        static_cast<double>(count),
        channels,
        moments[part].sum.data(),
        moments[part].squares.data());
    counts[part] += count;
  });
  for (int64_t part = 1, before = counts[0]; part < parts; before += counts[part++])
    merge_parts(moments[0], moments[part], static_cast<double>(before), static_cast<double>(counts[part]));
  return std::move(moments[0]);
}

ChannelProducts channel_products(const float* src, const float* diff, ChannelRows shape, const float* mean) {
  const int64_t parts = parts_of(shape), channels = shape.channels;
  std::vector<std::vector<double>> sums(parts, std::vector<double>(channels)), products = sums;
  std::vector<std::vector<float>> work(parts, std::vector<float>(2 * channels));
  each_block(shape, parts, [&](int64_t part, int64_t row, int64_t count) {
    float *sum = work[part].data(), *product = sum + channels;
    add_products(src + row * channels, diff + row * channels, count, channels, mean, sum, product);
    accumulate(sum, channels, sums[part].data());
    accumulate(product, channels, products[part].data());
  });
  return {sum_of(sums), sum_of(products)};
}

std::vector<double> channel_sums(const float* src, ChannelRows shape) {
  const int64_t parts = parts_of(shape), channels = shape.channels;
  std::vector<std::vector<double>> sums(parts, std::vector<double>(channels));
  std::vector<std::vector<float>> work(parts, std::vector<float>(channels));
  each_block(shape, parts, [&](int64_t part, int64_t row, int64_t count) {
    add_rows(src + row * channels, count, channels, work[part].data());
    accumulate(work[part].data(), channels, sums[part].data());
  });
  return sum_of(sums);
}

void channel_scale_shift(const float* src, float* dst, ChannelRows shape, const float* scale, const float* shift) {
  each_rows(shape, [&](int64_t first, int64_t rows) {
    vec::row_functions().scale_shift(src + first, dst + first, rows, shape.channels, scale, shift);
  });
}

void channel_gradient(const float* src, const float* diff, float* dst, ChannelRows shape, ChannelGradient gradient) {
  each_rows(shape, [&](int64_t first, int64_t rows) {
    gradient_rows(src + first, diff + first, dst + first, rows, shape.channels, gradient);
  });
}

} // namespace ipex::ops
