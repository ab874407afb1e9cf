// Normalisations, scans and windows over rows of adjacent float32 values, compiled for three instruction sets.
#pragma once

#include <cstdint>

namespace ipex::vec {

struct RowFunctions {
  // dst = softmax(src) or, with `log`, log_softmax(src), of one row. `dst` may be `src`.
  void (*softmax)(const float* src, float* dst, int64_t channels, bool log);

  // diff_src of one row from diff_dst and dst. `diff_src` may be one of the sources.
  void (*softmax_backward)(const float* diff_dst, const float* dst, float* diff_src, int64_t channels, bool log);

  // The same for `width` (at most kTile) rows side by side: channel c of row i is at c * stride + i.
  void (*softmax_columns)(const float* src, float* dst, int64_t channels, int64_t stride, int64_t width, bool log);
  void (*softmax_columns_backward)(
      const float* diff_dst,
      const float* dst,
      float* diff_src,
      int64_t channels,
      int64_t stride,
      int64_t width,
      bool log);

  // dst = (src - mean) * rstd * weight + bias of one row; weight and bias may be null. Leaves mean and rstd.
  void (*layer_norm)(
      const float* src,
      const float* weight,
      const float* bias,
      float* dst,
      int64_t channels,
      double epsilon,
      float* mean,
      float* rstd);

  // Adds one row's share to diff_weight and diff_bias, and writes diff_src; each of the three may be null.
  void (*layer_norm_backward)(
      const float* diff_dst,
      const float* src,
      const float* weight,
      float mean,
      float rstd,
      int64_t channels,
      float* diff_src,
      float* diff_weight,
      float* diff_bias);

  // dst = src * scale[c] + shift[c] for each channel of `rows` adjacent rows; dst may be src.
  void (*scale_shift)(
      const float* src,
      float* dst,
      int64_t rows,
      int64_t channels,
      const float* scale,
      const float* shift);

  // dst = src * scale + shift; dst may be src.
  void (*linear)(const float* src, float* dst, int64_t count, float scale, float shift);

  // The largest magnitude, of float32 and of bfloat16 values, as the bits of a float: those of infinity and NaN are larger than all others.
  uint32_t (*largest_magnitude)(const float* values, int64_t count);
  uint32_t (*largest_magnitude_bfloat16)(const uint16_t* values, int64_t count);

  // dst[c] = the largest of src[pixels[i] * channels + c]: the first of equal ones, the last NaN if there is one. `place`
  // gets its pixel, or is null. `count` is 1 or more.
  void (*max_of_pixels)(
      const float* src,
      int64_t channels,
      const int32_t* pixels,
      int64_t count,
      float* dst,
      int32_t* place);

  // dst[c] = sum of src[pixels[i] * channels + c] / divisor, 0 without pixels.
  void (*mean_of_pixels)(
      const float* src,
      int64_t channels,
      const int32_t* pixels,
      int64_t count,
      float divisor,
      float* dst);

  // Sum of (a - b)^2.
  double (*squared_distance)(const float* a, const float* b, int64_t count);
};

constexpr int64_t kTile = 64;

const RowFunctions& row_functions();

} // namespace ipex::vec
