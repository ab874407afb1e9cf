// Windows of a pooling operator, one after the other, over channels-last values.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "core/profile.h"
#include "forms/operand.h"
#include "ops/pooling.h"

namespace ipex::ops {

inline constexpr int64_t kPoolGrain = 16384; // elements read that make starting a thread worth while

// The pixels of one window, as numbers within the plane. PyTorch's indices are those, so a plane has fewer than 2^31.
struct Taps {
  std::vector<int32_t> pixels;
  int64_t divisor = 1;
};

// Calls visit(output pixel, taps) for the output pixels of a row: all those of one depth and height.
template <class Visit>
void each_window(const PoolCall& call, int64_t depth, int64_t height, Taps& taps, Visit visit) {
  const auto& [d, h, w] = call.axes;
  for (int64_t x = 0; x < w.out; ++x) {
    taps.pixels.clear();
    for (int64_t i = 0; i < d.taps[depth]; ++i)
      for (int64_t j = 0; j < h.taps[height]; ++j)
        for (int64_t k = 0; k < w.taps[x]; ++k)
          taps.pixels.push_back(
              static_cast<int32_t>(
                  ((d.first[depth] + i * d.step) * h.in + h.first[height] + j * h.step) * w.in + w.first[x] +
                  k * w.step));
    taps.divisor = d.divisor[depth] * h.divisor[height] * w.divisor[x];
    visit((depth * h.out + height) * w.out + x, taps);
  }
}

// Calls row(n, depth, height) for all rows of output pixels, in parallel.
template <class Row>
void each_row(const PoolCall& call, Row row) {
  const int64_t heights = call.axes[1].out, rows = call.axes[0].out * heights;
  const int64_t read = std::max<int64_t>(1, call.plane_in() * call.channels / rows);
  const profile::Kernel profiled("pooling");
  at::parallel_for(0, call.batch * rows, std::max<int64_t>(1, kPoolGrain / read), [&](int64_t begin, int64_t end) {
    Taps taps;
    for (int64_t i = begin; i < end; ++i)
      row(i / rows, i % rows / heights, i % heights, taps);
  });
}

// Those of the memory format that `src` suggests.
inline c10::DimVector pool_strides(const at::Tensor& src, c10::IntArrayRef sizes) {
  return src.suggest_memory_format() == at::MemoryFormat::Contiguous ? forms::row_major_strides(sizes)
                                                                     : forms::channels_last_strides(sizes);
}

} // namespace ipex::ops
