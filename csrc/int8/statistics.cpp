// Extremes and histogram of values.
#include "int8/statistics.h"

#include <algorithm>
#include <cmath>

namespace ipex::int8 {

void Statistics::add(const float* values, int64_t count) {
  float least = std::numeric_limits<float>::infinity(), most = -least;
  for (int64_t i = 0; i < count; ++i) {
    const float value = values[i];
    if (std::isnan(value)) {
      ++nans;
    } else if (std::isinf(value)) {
      ++infinities;
    } else {
      least = std::min(least, value);
      most = std::max(most, value);
    }
  }
  if (least > most) // nothing finite
    return;
  constexpr double kShare = 0.01;
  moving_minimum = updates == 0 ? least : moving_minimum + kShare * (least - moving_minimum);
  moving_maximum = updates == 0 ? most : moving_maximum + kShare * (most - moving_maximum);
  ++updates;
  minimum = std::min(minimum, least);
  maximum = std::max(maximum, most);
  widen(std::max(std::abs(least), std::abs(most)));
  if (range == 0) {
    histogram[0] += count;
    return;
  }
  const double bins_per_unit = kBins / static_cast<double>(range);
  for (int64_t i = 0; i < count; ++i)
    if (std::isfinite(values[i]))
      ++histogram[std::min<int64_t>(kBins - 1, static_cast<int64_t>(std::abs(values[i]) * bins_per_unit))];
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
