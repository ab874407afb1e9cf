// Pooling over channels-last int8 values. A maximum is exact; a mean is that of exact sums, rounded once.
#include "ops/quantized_pooling.h"

#include <array>
#include <numeric>

#include "forms/quantized.h"
#include "ops/pooling_windows.h"

namespace ipex::ops {

namespace {

using forms::Quantization;

// Calls window(values of the image, taps, where the result goes) for every window, in parallel.
template <class Window>
at::Tensor pool(
    const PoolCall& call,
    const at::Tensor& self,
    const forms::Operand& src,
    Quantization as,
    Window window) {
  const auto dst = forms::make_quantized_result(
      call.dst_sizes, pool_strides(self, call.dst_sizes), forms::channels_last_strides(call.dst_sizes), as);
  const auto* from = static_cast<const char*>(src.data);
  auto* to = static_cast<char*>(dst.data);
  each_row(call, [&](int64_t n, int64_t depth, int64_t height, Taps& work) {
    each_window(call, depth, height, work, [&](int64_t pixel, const Taps& taps) {
      window(from + n * call.plane_in() * call.channels, taps, to + (n * call.plane_out() + pixel) * call.channels);
    });
  });
  return dst.tensor;
}

// What each of the 256 values of `from` becomes in `to`.
std::array<char, 256> translation(const Quantization& from, const Quantization& to) {
  std::array<uint8_t, 256> all;
  std::iota(all.begin(), all.end(), 0);
  std::array<float, 256> values;
  forms::byte_functions(from.dtype).to_float(all.data(), values.data(), 256, from.scale);
  std::array<char, 256> made;
  forms::byte_functions(to.dtype).from_float(values.data(), made.data(), 256, to.scale);
  return made;
}

} // namespace

at::Tensor quantized_average_pool(
    const int8::Turn& turn,
    const PoolCall& call,
    const at::Tensor& self,
    int64_t divisor) {
  const auto src = forms::read_quantized(self, turn.input(0), forms::channels_last_strides(self.sizes()));
  const Quantization as = turn.output();
  const auto& loops = forms::byte_functions(src.layout.dtype);
  const auto round = forms::byte_functions(as.dtype).from_float;
  return pool(call, self, src, as, [&](const char* values, const Taps& taps, char* result) {
    thread_local std::vector<int32_t> sums;
    thread_local std::vector<float> means;
    sums.resize(call.channels);
    means.resize(call.channels);
    loops.sum_of_pixels(
        values, call.channels, taps.pixels.data(), static_cast<int64_t>(taps.pixels.size()), sums.data());
    const float unit = 1 / (src.scale * static_cast<float>(divisor != 0 ? divisor : taps.divisor));
    std::transform(
        sums.begin(), sums.end(), means.begin(), [&](int32_t sum) { return static_cast<float>(sum) * unit; });
    round(means.data(), result, call.channels, as.scale);
  });
}

at::Tensor quantized_max_pool(const int8::Turn& turn, const PoolCall& call, const at::Tensor& self) {
  const auto src = forms::read_quantized(self, turn.input(0), forms::channels_last_strides(self.sizes()));
  const Quantization given{src.layout.dtype, src.scale}, as = turn.output();
  const auto& loops = forms::byte_functions(given.dtype);
  const bool is_same = given == as;
  const auto translated = is_same ? std::array<char, 256>{} : translation(given, as);
  return pool(call, self, src, as, [&](const char* values, const Taps& taps, char* result) {
    loops.max_of_pixels(values, call.channels, taps.pixels.data(), static_cast<int64_t>(taps.pixels.size()), result);
    if (!is_same)
      std::transform(
          result, result + call.channels, result, [&](char value) { return translated[static_cast<uint8_t>(value)]; });
  });
}

} // namespace ipex::ops
