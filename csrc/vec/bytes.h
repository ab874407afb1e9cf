// Loops over int8 and uint8 values, which stand for value / scale, compiled for three instruction sets.
#pragma once

#include <cstdint>

namespace ipex::vec {

// For values of one type.
struct ByteFunctions {
  // dst = src / scale.
  void (*to_float)(const void* src, float* dst, int64_t count, float scale);

  // dst = saturate(round(src * scale)), ties to even; NaN becomes 0.
  void (*from_float)(const float* src, void* dst, int64_t count, float scale);

  // dst[c] = the largest of src[pixels[i] * channels + c]. `count` is 1 or more.
  void (*max_of_pixels)(const void* src, int64_t channels, const int32_t* pixels, int64_t count, void* dst);

  // dst[c] = sum of src[pixels[i] * channels + c].
  void (*sum_of_pixels)(const void* src, int64_t channels, const int32_t* pixels, int64_t count, int32_t* dst);
};

struct ByteTables {
  ByteFunctions int8;
  ByteFunctions uint8;
};

const ByteTables& byte_tables();

} // namespace ipex::vec
