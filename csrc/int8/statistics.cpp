// Extremes and histogram of values.
#include "int8/statistics.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>

#include "core/target_clones.h"

namespace ipex::int8 {

namespace {

constexpr int64_t kGrain = 1 << 16;
constexpr double kShare = 0.01; // of a tensor in moving extremes
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Extremes {
  float least = kInfinity, most = -kInfinity; // of finite values
  int32_t odd = 0; // NaN and infinities
};

// A comparison with NaN is false, so that NaN is neither; infinities are replaced.
IPEX_TARGET_CLONES void extremes(const float* values, int64_t count, Extremes& found) {
  constexpr uint32_t kExponent = 0x7F800000;
  float least = kInfinity, most = -kInfinity;
  int32_t odd = 0;
  for (int64_t i = 0; i < count; ++i) {
    const bool is_odd = (std::bit_cast<uint32_t>(values[i]) & kExponent) == kExponent;
    const float low = is_odd ? kInfinity : values[i], high = is_odd ? -kInfinity : values[i];
    least = low < least ? low : least;
    most = high > most ? high : most;
    odd += is_odd;
  }
  found = {least, most, odd};
}

IPEX_TARGET_CLONES void bins(const float* values, int64_t count, float bins_per_unit, int32_t* __restrict found) {
  constexpr float kLast = Statistics::kBins - 1;
  for (int64_t i = 0; i < count; ++i) {
    const float place = std::abs(values[i]) * bins_per_unit;
    found[i] = static_cast<int32_t>(place < kLast ? place : kLast); // NaN and infinities: the last one
  }
}

Extremes extremes(const float* values, int64_t count) {
  return at::parallel_reduce(
      0,
      count,
      kGrain,
      Extremes{},
      [&](int64_t begin, int64_t end, Extremes) {
        Extremes found;
        extremes(values + begin, end - begin, found);
        return found;
      },
      [](const Extremes& a, const Extremes& b) {
        return Extremes{std::min(a.least, b.least), std::max(a.most, b.most), a.odd + b.odd};
      });
}

} // namespace

void Statistics::add(const float* values, int64_t count) {
  const auto [least, most, odd] = extremes(values, count);
  if (odd > 0) {
    const int64_t unordered = std::count_if(values, values + count, [](float value) { return std::isnan(value); });
    nans += unordered;
    infinities += odd - unordered;
  }
  if (least > most) // nothing finite
    return;
  moving_minimum = updates == 0 ? least : moving_minimum + kShare * (least - moving_minimum);
  moving_maximum = updates == 0 ? most : moving_maximum + kShare * (most - moving_maximum);
  ++updates;
  minimum = std::min(minimum, least);
  maximum = std::max(maximum, most);
  widen(std::max(std::abs(least), std::abs(most)));
  const auto bins_per_unit = static_cast<float>(kBins / static_cast<double>(range));
  if (!std::isfinite(bins_per_unit)) { // zeros, or nearly
    histogram[0] += count - odd;
    return;
  }
  std::mutex mutex;
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    constexpr int64_t kPart = 1024;
    std::array<int32_t, kPart> places;
    std::array<int64_t, kBins> own{};
    for (int64_t first = begin; first < end; first += kPart) {
      const int64_t part = std::min(kPart, end - first);
      bins(values + first, part, bins_per_unit, places.data());
      for (int64_t i = 0; i < part; ++i)
        ++own[places[i]];
    }
    const std::lock_guard lock(mutex);
    for (int64_t i = 0; i < kBins; ++i)
      histogram[i] += own[i];
  });
  histogram[kBins - 1] -= odd;
}

void Statistics::merge(const Statistics& later) {
  nans += later.nans;
  infinities += later.infinities;
  if (later.updates == 0)
    return;
  const double share = updates == 0 ? 1 : 1 - std::pow(1 - kShare, later.updates);
  moving_minimum += share * (later.moving_minimum - moving_minimum);
  moving_maximum += share * (later.moving_maximum - moving_maximum);
  updates += later.updates;
  minimum = std::min(minimum, later.minimum);
  maximum = std::max(maximum, later.maximum);
  widen(later.range);
  const double bins_per_bin = range == 0 ? 0 : static_cast<double>(later.range) / range;
  for (int64_t i = 0; i < kBins; ++i)
    histogram[static_cast<int64_t>((i + 0.5) * bins_per_bin)] += later.histogram[i];
}

// Makes room for magnitudes up to `largest`: the range doubles, and pairs of bins become one.
void Statistics::widen(float largest) {
  if (largest == 0 || largest <= range)
    return;
  if (range == 0) {
    range = largest;
    return;
  }
  while (range < largest && range <= std::numeric_limits<float>::max() / 2) {
    for (int64_t i = 0; i < kBins / 2; ++i)
      histogram[i] = histogram[2 * i] + histogram[2 * i + 1];
    std::fill(histogram.begin() + kBins / 2, histogram.end(), 0);
    range *= 2;
  }
  range = std::max(range, largest);
}

} // namespace ipex::int8
