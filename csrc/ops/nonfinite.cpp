// Integer comparisons on the bits of floating-point numbers, compiled for three instruction sets and chosen at load.
//
// With the sign bit cleared, the bits of a float order as its magnitude does: finite < inf < NaN. As signed integers,
// +inf and positive NaNs are the largest numbers.
#include "ops/nonfinite.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>

#include "forms/storage.h"
#include "ops/target_clones.h"

namespace ipex::ops {

namespace {

// Elements that one thread should have at least, so that starting it pays.
constexpr int64_t kGrain = 32768;

// The bits of some values of a 16- or 32-bit floating-point type, as signed integers.
template <class Bits>
struct Format {
  static constexpr Bits kMagnitude = std::numeric_limits<Bits>::max();
  Bits infinity;
  Bits negative_infinity;
  Bits nan;
};

constexpr Format<int32_t> kFloat{0x7F800000, std::bit_cast<int32_t>(0xFF800000), 0x7FC00000};
constexpr Format<int16_t> kBFloat16{0x7F80, std::bit_cast<int16_t>(uint16_t{0xFF80}), 0x7FC0};
constexpr Format<int16_t> kHalf{0x7C00, std::bit_cast<int16_t>(uint16_t{0xFC00}), 0x7E00};

template <class Bits>
[[gnu::always_inline]] inline void spread_nan(
    const Bits* src,
    Bits* dst,
    int64_t rows,
    int64_t channels,
    Format<Bits> format) {
  for (int64_t row = 0; row < rows; ++row, src += channels, dst += channels) {
    Bits bad = 0;
    Bits alive = 0;
    for (int64_t c = 0; c < channels; ++c) {
      const Bits bits = src[c];
      bad |= (bits >= format.infinity) | ((bits & format.kMagnitude) > format.infinity);
      alive |= bits ^ format.negative_infinity;
    }
    if (C10_UNLIKELY(bad != 0 || alive == 0))
      std::fill_n(dst, channels, format.nan);
  }
}

template <class Bits>
[[gnu::always_inline]] inline bool has_nan_or_positive_infinity(const Bits* src, int64_t count, Format<Bits> format) {
  Bits bad = 0;
  for (int64_t i = 0; i < count; ++i)
    bad |= (src[i] >= format.infinity) | ((src[i] & format.kMagnitude) > format.infinity);
  return bad != 0;
}

template <class Bits>
[[gnu::always_inline]] inline bool any_above(const Bits* src, int64_t count, Bits bound) {
  Bits above = 0;
  for (int64_t i = 0; i < count; ++i)
    above |= (src[i] & Format<Bits>::kMagnitude) > bound;
  return above != 0;
}

// target_clones does not apply to templates, so each pass has one plain function per width.
IPEX_TARGET_CLONES void spread_nan_32(const int32_t* src, int32_t* dst, int64_t rows, int64_t channels) {
  spread_nan(src, dst, rows, channels, kFloat);
}

IPEX_TARGET_CLONES void spread_nan_16(
    const int16_t* src,
    int16_t* dst,
    int64_t rows,
    int64_t channels,
    Format<int16_t> format) {
  spread_nan(src, dst, rows, channels, format);
}

IPEX_TARGET_CLONES bool nan_or_infinity_32(const int32_t* src, int64_t count) {
  return has_nan_or_positive_infinity(src, count, kFloat);
}

IPEX_TARGET_CLONES bool nan_or_infinity_16(const int16_t* src, int64_t count, Format<int16_t> format) {
  return has_nan_or_positive_infinity(src, count, format);
}

IPEX_TARGET_CLONES bool any_above_32(const int32_t* src, int64_t count, int32_t bound) {
  return any_above(src, count, bound);
}

IPEX_TARGET_CLONES bool any_above_16(const int16_t* src, int64_t count, int16_t bound) {
  return any_above(src, count, bound);
}

Format<int16_t> format_16(const at::Tensor& tensor) {
  TORCH_INTERNAL_ASSERT(tensor.itemsize() == 2 && tensor.is_floating_point());
  return tensor.scalar_type() == at::kHalf ? kHalf : kBFloat16;
}

bool is_float(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kFloat;
}

// Whether `found(first, count)` is true for some part of `count` elements.
template <class Found>
bool any_part(int64_t count, Found found) {
  std::atomic<bool> any{false};
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    if (!any.load(std::memory_order_relaxed) && found(begin, end - begin))
      any.store(true, std::memory_order_relaxed);
  });
  return any.load(std::memory_order_relaxed);
}

} // namespace

void spread_nan(const at::Tensor& src, const at::Tensor& dst, int64_t channels) {
  const void* from = read_bytes(src);
  void* to = write_bytes(dst);
  const int64_t grain = std::max<int64_t>(1, kGrain / channels);
  at::parallel_for(0, src.numel() / channels, grain, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * channels;
    if (is_float(src))
      spread_nan_32(
          static_cast<const int32_t*>(from) + first, static_cast<int32_t*>(to) + first, end - begin, channels);
    else
      spread_nan_16(
          static_cast<const int16_t*>(from) + first,
          static_cast<int16_t*>(to) + first,
          end - begin,
          channels,
          format_16(src));
  });
}

bool has_nan_or_positive_infinity(const at::Tensor& tensor) {
  const void* from = read_bytes(tensor);
  return any_part(tensor.numel(), [&](int64_t first, int64_t count) {
    return is_float(tensor) ? nan_or_infinity_32(static_cast<const int32_t*>(from) + first, count)
                            : nan_or_infinity_16(static_cast<const int16_t*>(from) + first, count, format_16(tensor));
  });
}

bool all_within(const at::Tensor& tensor, float bound) {
  const void* from = read_bytes(tensor);
  const int16_t bound_16 = tensor.scalar_type() == at::kHalf ? std::bit_cast<int16_t>(at::Half(bound).x)
                                                             : std::bit_cast<int16_t>(at::BFloat16(bound).x);
  return !any_part(tensor.numel(), [&](int64_t first, int64_t count) {
    return is_float(tensor)
        ? any_above_32(static_cast<const int32_t*>(from) + first, count, std::bit_cast<int32_t>(bound))
        : any_above_16(static_cast<const int16_t*>(from) + first, count, bound_16);
  });
}

} // namespace ipex::ops
