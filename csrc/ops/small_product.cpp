// Vectors over what is adjacent in the weights: along a column, four columns at a time, or along a row of results.
#include "ops/small_product.h"

#include "core/target_clones.h"

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

// `count` results from successive columns.
template <int count>
[[gnu::always_inline]] inline void columns(const SmallProduct& p, const float* src, float* dst, int64_t first) {
  const float* weights = p.weights + first * p.weights_stride;
  Lanes sums[count] = {};
  int64_t i = 0;
  for (; i + kLanes <= p.in; i += kLanes) {
    const Lanes values = load(src + i);
    for (int o = 0; o < count; ++o)
      sums[o] += values * load(weights + o * p.weights_stride + i);
  }
  for (int o = 0; o < count; ++o) {
    float total = sum(sums[o]);
    for (int64_t rest = i; rest < p.in; ++rest)
      total += src[rest] * weights[o * p.weights_stride + rest];
    dst[first + o] = p.bias ? total + p.bias[first + o] : total;
  }
}

// `count` vectors of results.
template <int count>
[[gnu::always_inline]] inline void rows(const SmallProduct& p, const float* src, float* dst, int64_t first) {
  Lanes sums[count] = {};
  for (int64_t i = 0; i < p.in; ++i)
    for (int v = 0; v < count; ++v)
      sums[v] += src[i] * load(p.weights + i * p.weights_stride + first + v * kLanes);
  for (int v = 0; v < count; ++v) {
    const int64_t o = first + v * kLanes;
    *reinterpret_cast<Lanes*>(dst + o) = p.bias ? sums[v] + load(p.bias + o) : sums[v];
  }
}

} // namespace

IPEX_TARGET_CLONES void small_product_of_columns(const SmallProduct& p) {
  for (int64_t row = 0; row < p.rows; ++row) {
    const float* src = p.src + row * p.src_stride;
    float* dst = p.dst + row * p.out;
    int64_t o = 0;
    for (; o + 4 <= p.out; o += 4)
      columns<4>(p, src, dst, o);
    for (; o < p.out; ++o)
      columns<1>(p, src, dst, o);
  }
}

IPEX_TARGET_CLONES void small_product_of_rows(const SmallProduct& p) {
  for (int64_t row = 0; row < p.rows; ++row) {
    const float* src = p.src + row * p.src_stride;
    float* dst = p.dst + row * p.out;
    int64_t o = 0;
    for (; o + 8 * kLanes <= p.out; o += 8 * kLanes)
      rows<8>(p, src, dst, o);
    for (; o + kLanes <= p.out; o += kLanes)
      rows<1>(p, src, dst, o);
    for (; o < p.out; ++o) {
      float total = 0;
      for (int64_t i = 0; i < p.in; ++i)
        total += src[i] * p.weights[i * p.weights_stride + o];
      dst[o] = p.bias ? total + p.bias[o] : total;
    }
  }
}

} // namespace ipex::ops
