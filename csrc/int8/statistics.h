// Statistics: what calibration remembers of the values of a tensor.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace ipex::int8 {

struct Statistics {
  static constexpr int64_t kBins = 2048;

  int64_t updates = 0; // tensors that were seen
  float minimum = std::numeric_limits<float>::infinity(); // of finite values
  float maximum = -std::numeric_limits<float>::infinity();
  double moving_minimum = 0, moving_maximum = 0; // each tensor counts 1 in 100, the first one all
  int64_t nans = 0, infinities = 0;
  std::array<int64_t, kBins> histogram{}; // of magnitudes; bin i begins at i * range / kBins
  float range = 0; // 0: only zeros so far

  // Adds the `count` values of a tensor.
  void add(const float* values, int64_t count);

  // Adds what was seen of later tensors; magnitudes move by less than a bin.
  void merge(const Statistics& later);

 private:
  void widen(float largest);
};

} // namespace ipex::int8
