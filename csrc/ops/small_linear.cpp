// Inner products of rows, four outputs at a time so that a vector of src is loaded once for them.
#include "ops/small_linear.h"

#include "ops/target_clones.h"

#pragma GCC diagnostic ignored "-Wpsabi" // vectors are only passed to what is inlined

namespace ipex::ops {

namespace {

constexpr int64_t kLanes = 8;
typedef float Lanes __attribute__((vector_size(sizeof(float) * kLanes), aligned(alignof(float))));

[[gnu::always_inline]] inline Lanes load(const float* from) {
  return *reinterpret_cast<const Lanes*>(from);
}

[[gnu::always_inline]] inline float sum(Lanes v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

// `outputs` inner products of src with successive rows of weights.
template <int outputs>
[[gnu::always_inline]] inline void products(
    const float* src,
    const float* weights,
    int64_t in,
    int64_t stride,
    float* to) {
  Lanes sums[outputs] = {};
  int64_t i = 0;
  for (; i + kLanes <= in; i += kLanes) {
    const Lanes values = load(src + i);
    for (int o = 0; o < outputs; ++o)
      sums[o] += values * load(weights + o * stride + i);
  }
  for (int o = 0; o < outputs; ++o) {
    float total = sum(sums[o]);
    for (int64_t rest = i; rest < in; ++rest)
      total += src[rest] * weights[o * stride + rest];
    to[o] = total;
  }
}

} // namespace

IPEX_TARGET_CLONES void small_linear(
    const float* src,
    const float* weights,
    const float* bias,
    float* dst,
    int64_t rows,
    int64_t in,
    int64_t out,
    int64_t stride) {
  for (int64_t row = 0; row < rows; ++row, src += in, dst += out) {
    int64_t o = 0;
    for (; o + 4 <= out; o += 4)
      products<4>(src, weights + o * stride, in, stride, dst + o);
    for (; o < out; ++o)
      products<1>(src, weights + o * stride, in, stride, dst + o);
    if (bias)
      for (o = 0; o < out; ++o)
        dst[o] += bias[o];
  }
}

} // namespace ipex::ops
