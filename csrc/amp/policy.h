// Policy: what an operator does while a mode is on. The rows are in policy.inc; users may change them at run time.
#pragma once

#include <ATen/Operators.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/visibility.h"

namespace ipex::amp {

enum class Precision : uint8_t { kFloat32, kFollow, kLow };

// Sets of arguments or results, one bit each.
using Positions = uint32_t;

template <class... Numbers>
constexpr Positions kept(Numbers... numbers) {
  return (Positions{0} | ... | (Positions{1} << numbers));
}

struct Wide {
  Positions always = 0, in_backward = 0;
};

template <class... Numbers>
constexpr Wide wide(Numbers... numbers) {
  return {kept(numbers...), 0};
}

constexpr Wide wide_in_backward() {
  return {0, ~Positions{0}};
}

struct Policy {
  Precision precision = Precision::kFloat32;
  Positions kept = 0;
  Wide wide{};
};

// The row of policy.inc.
template <class Op>
inline constexpr Policy kPolicy{};

#define IPEX_LOW(op, kept, wide) \
  template <>                    \
  inline constexpr Policy kPolicy<at::_ops::op>{Precision::kLow, kept, wide};
#define IPEX_FOLLOW(op, kept, wide) \
  template <>                       \
  inline constexpr Policy kPolicy<at::_ops::op>{Precision::kFollow, kept, wide};
#include "amp/policy.inc"
#undef IPEX_FOLLOW
#undef IPEX_LOW

// Whether the kernel takes bfloat16 tensors beside float32 ones, for a float32 result.
template <class Op>
inline constexpr bool kMixes = false;

#define IPEX_MIXES(op) \
  template <>          \
  inline constexpr bool kMixes<at::_ops::op> = true;
#include "amp/mixes.inc"
#undef IPEX_MIXES

enum class ByWayOfFloat : uint8_t { kNever, kWithoutOneDnn, kAlways };

// The row of by_way_of_float.inc.
template <class Op>
inline constexpr ByWayOfFloat kByWayOfFloat = ByWayOfFloat::kNever;

#define IPEX_ONEDNN_KERNEL(op) \
  template <>                  \
  inline constexpr ByWayOfFloat kByWayOfFloat<at::_ops::op> = ByWayOfFloat::kWithoutOneDnn;
#define IPEX_FLOAT_KERNEL(op) \
  template <>                 \
  inline constexpr ByWayOfFloat kByWayOfFloat<at::_ops::op> = ByWayOfFloat::kAlways;
#include "amp/by_way_of_float.inc"
#undef IPEX_FLOAT_KERNEL
#undef IPEX_ONEDNN_KERNEL

// What the operator with a row does now.
std::atomic<Precision>& precision_of(const std::string& name);

// Operators with a row, "aten::convolution", and what they do now.
IPEX_API std::vector<std::pair<std::string, Precision>> precisions();

// Throws E103 for a name without a row.
IPEX_API void set_precision(const std::string& name, Precision precision);

// Undoes all calls of set_precision.
IPEX_API void reset_precisions();

} // namespace ipex::amp
