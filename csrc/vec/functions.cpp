// The element-wise functions and what they compute. Compiled once per instruction set (CMakeLists.txt), with
// at::vec::Vectorized in that width.
#include "vec/functions.h"

#include "vec/math.h"

namespace ipex::vec {

namespace {

// Applies f to Vec and remainders; f takes one Vec per source.
template <int sources, class F>
[[gnu::always_inline]] inline void loop(float* dst, const float* const* src, int64_t count, F f) {
  const auto apply = [&](int64_t i, int64_t n) {
    if constexpr (sources == 1)
      f(Vec::loadu(src[0] + i, n)).store(dst + i, static_cast<int>(n));
    else if constexpr (sources == 2)
      f(Vec::loadu(src[0] + i, n), Vec::loadu(src[1] + i, n)).store(dst + i, static_cast<int>(n));
    else
      f(Vec::loadu(src[0] + i, n), Vec::loadu(src[1] + i, n), Vec::loadu(src[2] + i, n))
          .store(dst + i, static_cast<int>(n));
  };
  int64_t i = 0;
  for (; i + Vec::size() <= count; i += Vec::size())
    apply(i, Vec::size());
  if (i < count)
    apply(i, count - i);
}

// IPEX_DEFINE2(name, body): a function of the sources x and y with the parameters p[0], p[1], ...
#define IPEX_DEFINE1(name, ...)                                                                 \
  void name(float* dst, const float* const* src, int64_t count, const float* p) {               \
    (void)p;                                                                                    \
    loop<1>(dst, src, count, [&](Vec x) __attribute__((always_inline)) -> Vec { __VA_ARGS__ }); \
  }
#define IPEX_DEFINE2(name, ...)                                                                        \
  void name(float* dst, const float* const* src, int64_t count, const float* p) {                      \
    (void)p;                                                                                           \
    loop<2>(dst, src, count, [&](Vec x, Vec y) __attribute__((always_inline)) -> Vec { __VA_ARGS__ }); \
  }
#define IPEX_DEFINE3(name, ...)                                                                               \
  void name(float* dst, const float* const* src, int64_t count, const float* p) {                             \
    (void)p;                                                                                                  \
    loop<3>(dst, src, count, [&](Vec x, Vec y, Vec z) __attribute__((always_inline)) -> Vec { __VA_ARGS__ }); \
  }

// One source x.
IPEX_DEFINE1(abs, return x.abs();)
IPEX_DEFINE1(clamp, return at::vec::clamp(x, Vec(p[0]), Vec(p[1]));) // p: min, max
IPEX_DEFINE1(clamp_max, return at::vec::clamp_max(x, Vec(p[0]));) // p: max
IPEX_DEFINE1(clamp_min, return at::vec::clamp_min(x, Vec(p[0]));) // p: min
IPEX_DEFINE1(copy, return x;)
IPEX_DEFINE1(cube, return x * x * x;)
// p: alpha * scale, scale, input scale
IPEX_DEFINE1(elu, return Vec::blendv((x * Vec(p[2])).expm1() * Vec(p[0]), x* Vec(p[1]), x > Vec(0.f));)
IPEX_DEFINE1(exp, return exp_of(x);)
IPEX_DEFINE1(gelu_erf, return Vec(0.5f) * x * (Vec(1.f) + erf_of(x * Vec(kSqrtHalf)));)
IPEX_DEFINE1(gelu_tanh, return Vec(0.5f) * x * (Vec(1.f) + tanh_of(gelu_inner(x)));)
IPEX_DEFINE1(hardsigmoid, return relu6(x + Vec(3.f)) / Vec(6.f);)
IPEX_DEFINE1(hardswish, return x * relu6(x + Vec(3.f)) / Vec(6.f);)
IPEX_DEFINE1(leaky_relu, return x * Vec::blendv(Vec(p[0]), Vec(1.f), x > Vec(0.f));) // p: slope
IPEX_DEFINE1(log, return x.log();)
IPEX_DEFINE1(mish, return x * tanh_of(exp_of(x).log1p());)
IPEX_DEFINE1(neg, return x.neg();)
IPEX_DEFINE1(reciprocal, return x.reciprocal();)
IPEX_DEFINE1(relu, return at::vec::clamp_min(x, Vec(0.f));)
IPEX_DEFINE1(rsqrt, return x.rsqrt();)
IPEX_DEFINE1(sigmoid, return sigmoid_of(x);)
IPEX_DEFINE1(silu, return x / (Vec(1.f) + exp_of(x.neg()));)
IPEX_DEFINE1(sqrt, return x.sqrt();)
IPEX_DEFINE1(square, return x * x;)
IPEX_DEFINE1(tanh, return tanh_of(x);)

// Two sources.
IPEX_DEFINE2(add, return at::vec::fmadd(y, Vec(p[0]), x);) // p: alpha
IPEX_DEFINE2(mul, return x * y;)
IPEX_DEFINE2(div, return x / y;)
IPEX_DEFINE2(maximum, return at::vec::maximum(x, y);)
IPEX_DEFINE2(minimum, return at::vec::minimum(x, y);)
IPEX_DEFINE2(masked_fill, return Vec::blendv(x, Vec(p[0]), y != Vec(0.f));) // y: mask; p: value
IPEX_DEFINE2(masked_scale, return x * y * Vec(p[0]);) // y: mask of 0 and 1; p: scale
IPEX_DEFINE2(square_of_difference, const Vec d = x - y; return d * d;)

// Gradients: x is diff_dst, y is src, or dst where said.
IPEX_DEFINE2(
    elu_backward,
    return Vec::blendv(
        x * Vec(p[2]) * Vec(p[0]) * exp_of(y * Vec(p[2])),
        x* Vec(p[1]),
        y > Vec(0.f));) // p: as elu
IPEX_DEFINE2(
    elu_backward_of_result, return Vec::blendv(x * Vec(p[2]) * (y + Vec(p[0])), x* Vec(p[1]), y > Vec(0.f));) // y: dst
IPEX_DEFINE2(
    gelu_erf_backward, const Vec cdf = Vec(0.5f) * (Vec(1.f) + erf_of(y * Vec(kSqrtHalf)));
    const Vec density = Vec(kNormalDensity) * exp_of(y * y * Vec(-0.5f));
    return x * (cdf + y * density);)
IPEX_DEFINE2(
    gelu_tanh_backward, const Vec t = tanh_of(gelu_inner(y)); const Vec left = Vec(0.5f) * y;
    const Vec right = Vec(1.f) + t;
    const Vec slope = Vec(kGeluBeta) * (Vec(1.f) + Vec(3 * kGeluKappa) * y * y);
    return x * (Vec(0.5f) * right + left * (Vec(1.f) - t * t) * slope);)
IPEX_DEFINE2(hardsigmoid_backward, return Vec::blendv(Vec(0.f), x* Vec(1.f / 6.f), (y > Vec(-3.f)) & (y < Vec(3.f)));)
IPEX_DEFINE2(
    hardswish_backward,
    return Vec::blendv(Vec::blendv(x * (y / Vec(3.f) + Vec(0.5f)), x, y >= Vec(3.f)), Vec(0.f), y <= Vec(-3.f));)
IPEX_DEFINE2(hardtanh_backward, return Vec::blendv(Vec(0.f), x, (y > Vec(p[0])) & (y < Vec(p[1])));) // p: min, max
IPEX_DEFINE2(leaky_relu_backward, return x * Vec::blendv(Vec(p[0]), Vec(1.f), y > Vec(0.f));) // p: slope
IPEX_DEFINE2(
    mish_backward, const Vec t = tanh_of(exp_of(y).log1p()); return x * (t + y * sigmoid_of(y) * (Vec(1.f) - t * t));)
IPEX_DEFINE2(sigmoid_backward, return x * (Vec(1.f) - y) * y;) // y: dst
IPEX_DEFINE2(silu_backward, const Vec s = sigmoid_of(y); return x * s * (Vec(1.f) + y * (Vec(1.f) - s));)
IPEX_DEFINE2(tanh_backward, return x * (Vec(1.f) - y * y);) // y: dst
IPEX_DEFINE2(threshold_backward, return Vec::blendv(x, Vec(0.f), y <= Vec(p[0]));) // p: threshold

// Three sources.
IPEX_DEFINE3(addcdiv, return x + Vec(p[0]) * y / z;) // p: value
IPEX_DEFINE3(addcmul, return at::vec::fmadd(Vec(p[0]) * y, z, x);) // p: value
IPEX_DEFINE3(mse_backward, return Vec(p[0]) * (y - z) * x;) // x: diff_dst, y: src, z: target; p: factor
IPEX_DEFINE3(where, return Vec::blendv(z, y, x != Vec(0.f));) // x: condition

} // namespace

// The table of this instruction set; select.cpp knows its name.
extern const Functions IPEX_VEC_TABLE;
const Functions IPEX_VEC_TABLE = {
#define IPEX_VEC(name, cost) {name, cost},
#include "vec/functions.inc"
#undef IPEX_VEC
    bfloat16_to_float,
    float_to_bfloat16,
    half_to_float,
    float_to_half,
};

} // namespace ipex::vec
