// The loops over bytes. Compiled once per instruction set (CMakeLists.txt); plain loops, which the compiler vectorises.
#include "vec/bytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace ipex::vec {

namespace {

template <class Byte>
void to_float(const void* src, float* dst, int64_t count, float scale) {
  const auto* from = static_cast<const Byte*>(src);
  const float step = 1 / scale;
  for (int64_t i = 0; i < count; ++i)
    dst[i] = static_cast<float>(from[i]) * step;
}

template <class Byte>
void from_float(const float* src, void* dst, int64_t count, float scale) {
  constexpr float kLeast = std::numeric_limits<Byte>::min(), kMost = std::numeric_limits<Byte>::max();
  auto* to = static_cast<Byte*>(dst);
  for (int64_t i = 0; i < count; ++i) {
    float value = src[i] * scale;
    value = value == value ? value : 0.f;
    value = value < kLeast ? kLeast : value;
    value = value > kMost ? kMost : value;
    to[i] = static_cast<Byte>(static_cast<int32_t>(std::nearbyintf(value)));
  }
}

template <class Byte>
void max_of_pixels(const void* src, int64_t channels, const int32_t* pixels, int64_t count, void* dst) {
  const auto* from = static_cast<const Byte*>(src);
  auto* __restrict to = static_cast<Byte*>(dst);
  std::memcpy(to, from + pixels[0] * channels, channels);
  for (int64_t i = 1; i < count; ++i) {
    const Byte* row = from + pixels[i] * channels;
    for (int64_t c = 0; c < channels; ++c)
      to[c] = std::max(to[c], row[c]);
  }
}

template <class Byte>
void sum_of_pixels(const void* src, int64_t channels, const int32_t* pixels, int64_t count, int32_t* __restrict dst) {
  const auto* from = static_cast<const Byte*>(src);
  std::fill_n(dst, channels, 0);
  for (int64_t i = 0; i < count; ++i) {
    const Byte* row = from + pixels[i] * channels;
    for (int64_t c = 0; c < channels; ++c)
      dst[c] += row[c];
  }
}

template <class Byte>
constexpr ByteFunctions kFunctions{to_float<Byte>, from_float<Byte>, max_of_pixels<Byte>, sum_of_pixels<Byte>};

} // namespace

// The table of this instruction set; select.cpp knows its name.
extern const ByteTables IPEX_VEC_BYTES;
const ByteTables IPEX_VEC_BYTES = {kFunctions<int8_t>, kFunctions<uint8_t>};

} // namespace ipex::vec
