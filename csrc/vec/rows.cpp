// Softmax, layer normalisation and pooling of rows. Compiled once per instruction set, as functions.cpp.
#include "vec/rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "vec/math.h"

namespace ipex::vec {

namespace {

constexpr int64_t kWidth = Vec::size();

// f(i, n) for every Vec of `count` elements and the remainder.
template <class F>
[[gnu::always_inline]] inline void each(int64_t count, F f) {
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth)
    f(i, kWidth);
  if (i < count)
    f(i, count - i);
}

[[gnu::always_inline]] inline float total(Vec x) {
  alignas(64) float lanes[kWidth];
  x.store(lanes);
  float sum = 0;
  for (float lane : lanes)
    sum += lane;
  return sum;
}

// The largest element; NaN when there is one.
float largest(const float* src, int64_t count) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  Vec found(kLowest);
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth)
    found = at::vec::maximum(found, Vec::loadu(src + i));
  alignas(64) float lanes[kWidth];
  found.store(lanes);
  float result = kLowest;
  const auto take = [&](float x) { result = x > result || std::isnan(x) ? x : result; };
  for (float lane : lanes)
    take(lane);
  for (; i < count; ++i)
    take(src[i]);
  return result;
}

// Zero in the lanes from `n` on, where a partial load leaves anything.
[[gnu::always_inline]] inline Vec first(Vec x, int64_t n) {
  return n == kWidth ? x : Vec::set(Vec(0.f), x, n);
}

void softmax(const float* src, float* dst, int64_t channels, bool log) {
  const Vec max(largest(src, channels));
  Vec sum(0.f);
  if (log) {
    each(channels, [&](int64_t i, int64_t n) { sum = sum + first(exp_of(Vec::loadu(src + i, n) - max), n); });
    const Vec shift(std::log(total(sum)));
    each(channels, [&](int64_t i, int64_t n) {
      (Vec::loadu(src + i, n) - max - shift).store(dst + i, static_cast<int>(n));
    });
    return;
  }
  each(channels, [&](int64_t i, int64_t n) {
    const Vec power = exp_of(Vec::loadu(src + i, n) - max);
    power.store(dst + i, static_cast<int>(n));
    sum = sum + first(power, n);
  });
  const Vec scale(1 / total(sum));
  each(channels, [&](int64_t i, int64_t n) { (Vec::loadu(dst + i, n) * scale).store(dst + i, static_cast<int>(n)); });
}

void softmax_backward(const float* diff_dst, const float* dst, float* diff_src, int64_t channels, bool log) {
  Vec sum(0.f);
  each(channels, [&](int64_t i, int64_t n) {
    const Vec g = Vec::loadu(diff_dst + i, n);
    sum = sum + first(log ? g : g * Vec::loadu(dst + i, n), n);
  });
  const Vec all(total(sum));
  each(channels, [&](int64_t i, int64_t n) {
    const Vec g = Vec::loadu(diff_dst + i, n), y = Vec::loadu(dst + i, n);
    const Vec made = log ? g - exp_of(y) * all : (g - all) * y;
    made.store(diff_src + i, static_cast<int>(n));
  });
}

void softmax_columns(const float* src, float* dst, int64_t channels, int64_t stride, int64_t width, bool log) {
  alignas(64) float max[kTile + kWidth], sum[kTile + kWidth];
  std::fill_n(max, kTile, -std::numeric_limits<float>::infinity());
  std::fill_n(sum, kTile, 0.f);
  for (int64_t c = 0; c < channels; ++c)
    each(width, [&](int64_t i, int64_t n) {
      at::vec::maximum(Vec::loadu(max + i), Vec::loadu(src + c * stride + i, n)).store(max + i);
    });
  for (int64_t c = 0; c < channels; ++c)
    each(width, [&](int64_t i, int64_t n) {
      const Vec power = exp_of(Vec::loadu(src + c * stride + i, n) - Vec::loadu(max + i));
      if (!log)
        power.store(dst + c * stride + i, static_cast<int>(n));
      (Vec::loadu(sum + i) + power).store(sum + i);
    });
  each(kTile, [&](int64_t i, int64_t) {
    const Vec s = Vec::loadu(sum + i);
    (log ? s.log() : Vec(1.f) / s).store(sum + i);
  });
  for (int64_t c = 0; c < channels; ++c)
    each(width, [&](int64_t i, int64_t n) {
      const Vec s = Vec::loadu(sum + i);
      const Vec made =
          log ? Vec::loadu(src + c * stride + i, n) - Vec::loadu(max + i) - s : Vec::loadu(dst + c * stride + i, n) * s;
      made.store(dst + c * stride + i, static_cast<int>(n));
    });
}

void softmax_columns_backward(
    const float* diff_dst,
    const float* dst,
    float* diff_src,
    int64_t channels,
    int64_t stride,
    int64_t width,
    bool log) {
  alignas(64) float sum[kTile + kWidth];
  std::fill_n(sum, kTile, 0.f);
  for (int64_t c = 0; c < channels; ++c)
    each(width, [&](int64_t i, int64_t n) {
      const Vec g = Vec::loadu(diff_dst + c * stride + i, n);
      (Vec::loadu(sum + i) + (log ? g : g * Vec::loadu(dst + c * stride + i, n))).store(sum + i);
    });
  for (int64_t c = 0; c < channels; ++c)
    each(width, [&](int64_t i, int64_t n) {
      const Vec g = Vec::loadu(diff_dst + c * stride + i, n), y = Vec::loadu(dst + c * stride + i, n);
      const Vec all = Vec::loadu(sum + i);
      (log ? g - exp_of(y) * all : (g - all) * y).store(diff_src + c * stride + i, static_cast<int>(n));
    });
}

// Mean and variance of a row. NaN and infinite values make both NaN; sums that overflow although no value does are taken
// again in double.
void moments(const float* src, int64_t channels, float* mean, float* variance) {
  Vec sum(0.f), other(0.f);
  int64_t i = 0;
  for (; i + 2 * kWidth <= channels; i += 2 * kWidth) {
    sum = sum + Vec::loadu(src + i);
    other = other + Vec::loadu(src + i + kWidth);
  }
  each(channels - i, [&](int64_t j, int64_t n) { sum = sum + first(Vec::loadu(src + i + j, n), n); });
  *mean = total(sum + other) / static_cast<float>(channels);
  if (!std::isfinite(*mean)) {
    double exact = 0;
    for (int64_t c = 0; c < channels; ++c)
      exact += src[c];
    *mean = std::isfinite(exact) ? static_cast<float>(exact / static_cast<double>(channels)) : std::nanf("");
  }
  const Vec center(*mean);
  sum = other = Vec(0.f);
  i = 0;
  for (; i + 2 * kWidth <= channels; i += 2 * kWidth) {
    const Vec a = Vec::loadu(src + i) - center, b = Vec::loadu(src + i + kWidth) - center;
    sum = at::vec::fmadd(a, a, sum);
    other = at::vec::fmadd(b, b, other);
  }
  each(channels - i, [&](int64_t j, int64_t n) {
    const Vec a = first(Vec::loadu(src + i + j, n) - center, n);
    sum = at::vec::fmadd(a, a, sum);
  });
  *variance = total(sum + other) / static_cast<float>(channels);
}

void layer_norm(
    const float* src,
    const float* weight,
    const float* bias,
    float* dst,
    int64_t channels,
    double epsilon,
    float* mean,
    float* rstd) {
  float variance;
  moments(src, channels, mean, &variance);
  *rstd = 1 / std::sqrt(variance + static_cast<float>(epsilon));
  const Vec scale(*rstd), shift(-*mean * *rstd);
  each(channels, [&](int64_t i, int64_t n) {
    Vec x = Vec::loadu(src + i, n) * scale + shift;
    if (weight)
      x = x * Vec::loadu(weight + i, n);
    if (bias)
      x = x + Vec::loadu(bias + i, n);
    x.store(dst + i, static_cast<int>(n));
  });
}

void layer_norm_backward(
    const float* diff_dst,
    const float* src,
    const float* weight,
    float mean,
    float rstd,
    int64_t channels,
    float* diff_src,
    float* diff_weight,
    float* diff_bias) {
  const Vec scale(rstd), shift(-mean * rstd);
  Vec products(0.f), gradients(0.f);
  each(channels, [&](int64_t i, int64_t n) {
    const Vec g = first(Vec::loadu(diff_dst + i, n), n), x = Vec::loadu(src + i, n);
    if (diff_src) {
      const Vec scaled = weight ? g * Vec::loadu(weight + i, n) : g;
      products = at::vec::fmadd(scaled, first(x, n), products);
      gradients = gradients + first(scaled, n);
    }
    if (diff_weight)
      at::vec::fmadd(g, x * scale + shift, Vec::loadu(diff_weight + i, n)).store(diff_weight + i, static_cast<int>(n));
    if (diff_bias)
      (Vec::loadu(diff_bias + i, n) + g).store(diff_bias + i, static_cast<int>(n));
  });
  if (!diff_src)
    return;
  // diff_src = rstd * g + b * x + c, which is rstd * (g - mean(g) - x^ * mean(g * x^)) with x^ = (x - mean) * rstd.
  const float share = 1 / static_cast<float>(channels);
  const float ds = total(products), db = total(gradients);
  const float b = (db * mean - ds) * rstd * rstd * rstd * share;
  const float c = -b * mean - db * rstd * share;
  const Vec factor(b), constant(c);
  each(channels, [&](int64_t i, int64_t n) {
    Vec g = Vec::loadu(diff_dst + i, n);
    if (weight)
      g = g * Vec::loadu(weight + i, n);
    (scale * g + factor * Vec::loadu(src + i, n) + constant).store(diff_src + i, static_cast<int>(n));
  });
}

void scale_shift(const float* src, float* dst, int64_t rows, int64_t channels, const float* scale, const float* shift) {
  for (int64_t row = 0; row < rows; ++row, src += channels, dst += channels)
    each(channels, [&](int64_t i, int64_t n) {
      at::vec::fmadd(Vec::loadu(src + i, n), Vec::loadu(scale + i, n), Vec::loadu(shift + i, n))
          .store(dst + i, static_cast<int>(n));
    });
}

void linear(const float* src, float* dst, int64_t count, float scale, float shift) {
  const Vec factor(scale), constant(shift);
  each(count, [&](int64_t i, int64_t n) {
    at::vec::fmadd(Vec::loadu(src + i, n), factor, constant).store(dst + i, static_cast<int>(n));
  });
}

uint32_t largest_magnitude(const float* values, int64_t count) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < count; ++i)
    largest = std::max(largest, std::bit_cast<uint32_t>(values[i]) & 0x7FFFFFFF);
  return largest;
}

uint32_t largest_magnitude_bfloat16(const uint16_t* values, int64_t count) {
  uint16_t largest = 0;
  for (int64_t i = 0; i < count; ++i)
    largest = std::max<uint16_t>(largest, values[i] & 0x7FFF);
  return static_cast<uint32_t>(largest) << 16;
}

// f(i, n, lanes) for pieces of kLanes Vecs, of single Vecs, and the remainder: `lanes` is a constant, their number.
template <class F>
[[gnu::always_inline]] inline void each_piece(int64_t count, F f) {
  constexpr int kLanes = 4;
  int64_t i = 0;
  for (; i + kLanes * kWidth <= count; i += kLanes * kWidth)
    f(i, kWidth, std::integral_constant<int, kLanes>());
  each(count - i, [&](int64_t j, int64_t n) { f(i + j, n, std::integral_constant<int, 1>()); });
}

void max_of_pixels(
    const float* src,
    int64_t channels,
    const int32_t* pixels,
    int64_t count,
    float* dst,
    int32_t* place) {
  const auto number = [](int32_t pixel) { return Vec(std::bit_cast<float>(pixel)); }; // only moved, never computed with
  each_piece(channels, [&](int64_t c, int64_t n, auto lanes) {
    Vec best[lanes], where[lanes];
    for (int k = 0; k < lanes; ++k) {
      best[k] = Vec::loadu(src + pixels[0] * channels + c + k * kWidth, n);
      where[k] = number(pixels[0]);
    }
    for (int64_t i = 1; i < count; ++i)
      for (int k = 0; k < lanes; ++k) {
        const Vec value = Vec::loadu(src + pixels[i] * channels + c + k * kWidth, n);
        const Vec taken = (value > best[k]) | (value != value);
        best[k] = Vec::blendv(best[k], value, taken);
        if (place != nullptr)
          where[k] = Vec::blendv(where[k], number(pixels[i]), taken);
      }
    for (int k = 0; k < lanes; ++k) {
      best[k].store(dst + c + k * kWidth, static_cast<int>(n));
      if (place != nullptr)
        where[k].store(place + c + k * kWidth, static_cast<int>(n));
    }
  });
}

void mean_of_pixels(
    const float* src,
    int64_t channels,
    const int32_t* pixels,
    int64_t count,
    float divisor,
    float* dst) {
  if (count == 0) {
    std::fill_n(dst, channels, 0.f);
    return;
  }
  const Vec by(divisor);
  each_piece(channels, [&](int64_t c, int64_t n, auto lanes) {
    Vec sum[lanes];
    for (int k = 0; k < lanes; ++k)
      sum[k] = Vec(0.f);
    for (int64_t i = 0; i < count; ++i)
      for (int k = 0; k < lanes; ++k)
        sum[k] = sum[k] + Vec::loadu(src + pixels[i] * channels + c + k * kWidth, n);
    for (int k = 0; k < lanes; ++k)
      (sum[k] / by).store(dst + c + k * kWidth, static_cast<int>(n));
  });
}

double squared_distance(const float* a, const float* b, int64_t count) {
  constexpr int64_t kPart = 4096; // float32 sums of this length keep all but the last bits
  double sum = 0;
  for (int64_t begin = 0; begin < count; begin += kPart) {
    Vec part(0.f);
    each(std::min(kPart, count - begin), [&](int64_t i, int64_t n) {
      const Vec d = first(Vec::loadu(a + begin + i, n) - Vec::loadu(b + begin + i, n), n);
      part = at::vec::fmadd(d, d, part);
    });
    sum += total(part);
  }
  return sum;
}

} // namespace

extern const RowFunctions IPEX_VEC_ROWS;
const RowFunctions IPEX_VEC_ROWS = {
    softmax,
    softmax_backward,
    softmax_columns,
    softmax_columns_backward,
    layer_norm,
    layer_norm_backward,
    scale_shift,
    linear,
    largest_magnitude,
    largest_magnitude_bfloat16,
    max_of_pixels,
    mean_of_pixels,
    squared_distance,
};

} // namespace ipex::vec
