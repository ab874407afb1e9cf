// A register of floats and the functions that attention and recurrent layers need.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#ifdef __AVX512F__
#define IPEX_SIMD avx512
#else
#define IPEX_SIMD avx2
#endif

namespace ipex::simd::IPEX_SIMD {

namespace {

#ifdef __AVX512F__
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif
typedef float V __attribute__((vector_size(4 * kLanes)));
typedef int32_t I __attribute__((vector_size(4 * kLanes)));

constexpr float kInfinity = __builtin_inff();

inline V load(const float* from) {
  V value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline void store(float* to, V value) {
  std::memcpy(to, &value, sizeof value);
}

inline V splat(float value) {
#ifdef __AVX512F__
  return V(_mm512_set1_ps(value));
#else
  return V(_mm256_set1_ps(value));
#endif
}

inline V select(I mask, V yes, V no) {
  return V((mask & I(yes)) | (~mask & I(no)));
}

// The larger one; `second` when one is NaN.
inline V larger(V first, V second) {
  return first > second ? first : second;
}

inline V smaller(V first, V second) {
  return first < second ? first : second;
}

inline float sum(V value) {
  float lanes[kLanes];
  store(lanes, value);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i)
      lanes[i] += lanes[i + half];
  return lanes[0];
}

inline float largest(V value) {
  float lanes[kLanes];
  store(lanes, value);
  float result = lanes[0];
  for (int i = 1; i < kLanes; ++i)
    result = lanes[i] > result ? lanes[i] : result;
  return result;
}

// exp(x), about 1 unit in the last place; underflows to zero gradually, overflows to infinity, keeps NaN.
// 2^n * exp(r) with n = round(x / ln 2) and a polynomial for |r| <= ln 2 / 2; 2^n in two factors because n reaches -150.
inline V exp(V x) {
  x = larger(splat(-104.0f), smaller(splat(89.0f), x));
  constexpr float kShift = 12582912.0f; // 1.5 * 2^23: the sum's lowest bits are the rounded number
  const V shifted = x * 1.44269504088896341f + kShift;
  const V rounded = shifted - kShift;
  const I n = I(shifted) - 0x4B400000;
  const V r = (x - rounded * 0.693359375f) + rounded * 2.12194440e-4f;
  V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const I half = n >> 1;
  return p * V((half + 127) << 23) * V((n - half + 127) << 23);
}

// exp(x) for x <= 0 in fewer steps: zero below -87.
inline V exp_of_negative(V x) {
  constexpr float kShift = 12582912.0f;
  const V shifted = x * 1.44269504088896341f + kShift;
  const V rounded = shifted - kShift;
  const V r = (x - rounded * 0.693359375f) + rounded * 2.12194440e-4f;
  V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const V result = p * V((I(shifted) - (0x4B400000 - 127)) << 23);
  return select(I(x < -87.0f), V{}, result);
}

inline V sigmoid(V x) {
  return 1.0f / (1.0f + exp(-x));
}

// 1 - 2 / (exp(2 x) + 1), and x - x^3 / 3 + ... near zero where that cancels.
inline V tanh(V x) {
  const V square = x * x;
  V near = square * 0.0218694885f - 0.0539682540f;
  near = near * square + 0.1333333333f;
  near = near * square - 0.3333333333f;
  near = near * square * x + x;
  const V far = 1.0f - 2.0f / (exp(x + x) + 1.0f);
  return select(I(square < 0.01f), near, far);
}

// log(x) for one positive number.
inline float log(float x) {
  return __builtin_logf(x);
}

inline int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

inline int64_t round_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

} // namespace

} // namespace ipex::simd::IPEX_SIMD
