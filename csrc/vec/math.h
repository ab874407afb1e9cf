// exp, tanh, erf and conversions in the width of the instruction set that a file is compiled for.
//
// Everything is in an unnamed namespace: the same names with other instructions exist in the neighbouring object files.
#pragma once

#include <ATen/cpu/vec/vec.h>

#include <bit>
#include <cstdint>

namespace ipex::vec {

namespace {

using Vec = at::vec::Vectorized<float>;

constexpr float kSqrtHalf = 0.70710678118654752440f;
constexpr float kNormalDensity = 0.39894228040143267794f; // 1 / sqrt(2 pi)
constexpr float kGeluBeta = 0.79788456080286535588f; // sqrt(2 / pi)
constexpr float kGeluKappa = 0.044715f;

// exp(x) to one unit in the last place; NaN stays NaN. exp(x) = 2^n exp(r) with n = round(x / ln 2) and the polynomial of
// Cephes expf for |r| <= ln 2 / 2.
[[gnu::always_inline, maybe_unused]] inline Vec exp_of(Vec x) {
#if defined(CPU_CAPABILITY_AVX2) || defined(CPU_CAPABILITY_AVX512)
  x = at::vec::clamp_max(at::vec::clamp_min(x, Vec(-104.f)), Vec(100.f)); // 0 and infinity beyond
  const Vec n = (x * Vec(1.44269504088896341f)).round();
  Vec r = at::vec::fnmadd(n, Vec(0.693359375f), x);
  r = at::vec::fnmadd(n, Vec(-2.12194440e-4f), r);
  Vec p(1.9875691500e-4f);
  p = at::vec::fmadd(p, r, Vec(1.3981999507e-3f));
  p = at::vec::fmadd(p, r, Vec(8.3334519073e-3f));
  p = at::vec::fmadd(p, r, Vec(4.1665795894e-2f));
  p = at::vec::fmadd(p, r, Vec(1.6666665459e-1f));
  p = at::vec::fmadd(p, r, Vec(5.0000001201e-1f));
  p = at::vec::fmadd(p, r * r, r) + Vec(1.f);
#if defined(CPU_CAPABILITY_AVX512)
  return _mm512_scalef_ps(p, n);
#else
  // 2^n in two factors, because n leaves the range of one exponent near overflow and for denormal results.
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const auto power = [&](__m256i exponent) {
    return Vec(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(exponent, bias), 23)));
  };
  return p * power(half) * power(_mm256_sub_epi32(whole, half));
#endif
#else
  return x.exp();
#endif
}

// tanh(x) = 1 - 2 / (exp(2 x) + 1), and the polynomial of Cephes tanhf where that cancels.
[[gnu::always_inline, maybe_unused]] inline Vec tanh_of(Vec x) {
#if defined(CPU_CAPABILITY_AVX2) || defined(CPU_CAPABILITY_AVX512)
  const Vec square = x * x;
  Vec p(-5.70498872745e-3f);
  p = at::vec::fmadd(p, square, Vec(2.06390887954e-2f));
  p = at::vec::fmadd(p, square, Vec(-5.37397155531e-2f));
  p = at::vec::fmadd(p, square, Vec(1.33314422036e-1f));
  p = at::vec::fmadd(p, square, Vec(-3.33332819422e-1f));
  const Vec small = at::vec::fmadd(p * square, x, x);
  const Vec large = Vec(1.f) - Vec(2.f) / (exp_of(x + x) + Vec(1.f));
  return Vec::blendv(large, small, x.abs() < Vec(0.625f));
#else
  return x.tanh();
#endif
}

// erf by Abramowitz and Stegun 7.1.26, as stock PyTorch has it; absolute error 1.5e-7.
[[gnu::always_inline, maybe_unused]] inline Vec erf_of(Vec x) {
#if defined(CPU_CAPABILITY_AVX2) || defined(CPU_CAPABILITY_AVX512)
  const Vec magnitude = x.abs();
  const Vec t = Vec(1.f) / at::vec::fmadd(Vec(0.3275911f), magnitude, Vec(1.f));
  Vec p = at::vec::fmadd(Vec(1.061405429f), t, Vec(-1.453152027f));
  p = at::vec::fmadd(p, t, Vec(1.421413741f));
  p = at::vec::fmadd(p, t, Vec(-0.284496736f));
  p = at::vec::fmadd(p, t, Vec(0.254829592f));
  const Vec value = at::vec::fnmadd(p * t, exp_of((x * x).neg()), Vec(1.f));
  return value | (x & Vec(-0.f));
#else
  return x.erf();
#endif
}

[[gnu::always_inline, maybe_unused]] inline Vec sigmoid_of(Vec x) {
  return Vec(1.f) / (Vec(1.f) + exp_of(x.neg()));
}

[[gnu::always_inline, maybe_unused]] inline Vec relu6(Vec x) {
  return at::vec::minimum(at::vec::maximum(x, Vec(0.f)), Vec(6.f));
}

// The argument of tanh in gelu's approximation.
[[gnu::always_inline, maybe_unused]] inline Vec gelu_inner(Vec x) {
  return Vec(kGeluBeta) * (x + Vec(kGeluKappa) * (x * x * x));
}

[[maybe_unused]] void bfloat16_to_float(const void* src, void* dst, int64_t count) {
  const auto* from = static_cast<const uint16_t*>(src);
  auto* to = static_cast<uint32_t*>(dst);
  for (int64_t i = 0; i < count; ++i)
    to[i] = static_cast<uint32_t>(from[i]) << 16;
}

[[maybe_unused]] void float_to_bfloat16(const void* src, void* dst, int64_t count) {
  const auto* from = static_cast<const uint32_t*>(src);
  auto* to = static_cast<uint16_t*>(dst);
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t rounded = (from[i] + 0x7FFF + ((from[i] >> 16) & 1)) >> 16;
    to[i] = static_cast<uint16_t>((from[i] & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC0 : rounded);
  }
}

[[maybe_unused]] void half_to_float(const void* src, void* dst, int64_t count) {
  const auto* from = static_cast<const uint16_t*>(src);
  auto* to = static_cast<float*>(dst);
  int64_t i = 0;
#if defined(CPU_CAPABILITY_AVX2) || defined(CPU_CAPABILITY_AVX512)
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
#endif
  for (; i < count; ++i)
    to[i] = c10::detail::fp16_ieee_to_fp32_value(from[i]);
}

[[maybe_unused]] void float_to_half(const void* src, void* dst, int64_t count) {
  const auto* from = static_cast<const float*>(src);
  auto* to = static_cast<uint16_t*>(dst);
  int64_t i = 0;
#if defined(CPU_CAPABILITY_AVX2) || defined(CPU_CAPABILITY_AVX512)
  for (; i + 8 <= count; i += 8)
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(to + i), _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
#endif
  for (; i < count; ++i)
    to[i] = c10::detail::fp16_ieee_from_fp32_value(from[i]);
}

} // namespace

} // namespace ipex::vec
