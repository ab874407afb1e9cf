// Reads the matrix once, row by row; each thread has its columns, whose sums stay in the first-level cache.
#include "ops/column_sum.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/profile.h"
#include "core/target_clones.h"

namespace ipex::ops {

namespace {

constexpr int64_t kColumns = 512; // of one pass
constexpr int64_t kRows = 64; // of one block: its sum is added to the total
constexpr int64_t kGrain = 32768; // elements per thread at least

template <class T>
struct Sums {
  // dst[0, count) = sums of the columns; `stride` from row to row.
  [[gnu::always_inline]] static inline void run(const T* src, T* dst, int64_t rows, int64_t count, int64_t stride) {
    alignas(64) float total[kColumns] = {};
    for (int64_t first = 0; first < rows; first += kRows) {
      alignas(64) float block[kColumns] = {};
      const int64_t end = std::min(rows, first + kRows);
      int64_t row = first;
      for (; row + 4 <= end; row += 4) {
        const T* r = src + row * stride;
        for (int64_t c = 0; c < count; ++c)
          block[c] += (static_cast<float>(r[c]) + static_cast<float>(r[c + stride])) +
              (static_cast<float>(r[c + 2 * stride]) + static_cast<float>(r[c + 3 * stride]));
      }
      for (; row < end; ++row)
        for (int64_t c = 0; c < count; ++c)
          block[c] += static_cast<float>(src[row * stride + c]);
      for (int64_t c = 0; c < count; ++c)
        total[c] += block[c];
    }
    for (int64_t c = 0; c < count; ++c)
      dst[c] = static_cast<T>(total[c]);
  }
};

// target_clones does not apply to templates.
IPEX_TARGET_CLONES void sums_float(const float* src, float* dst, int64_t rows, int64_t count, int64_t stride) {
  Sums<float>::run(src, dst, rows, count, stride);
}

IPEX_TARGET_CLONES void sums_bfloat16(
    const at::BFloat16* src,
    at::BFloat16* dst,
    int64_t rows,
    int64_t count,
    int64_t stride) {
  Sums<at::BFloat16>::run(src, dst, rows, count, stride);
}

} // namespace

void column_sum(const void* src, void* dst, int64_t rows, int64_t columns, at::ScalarType dtype) {
  constexpr int64_t kLine = 16; // columns are dealt out in whole cache lines
  const int64_t lines = (columns + kLine - 1) / kLine;
  const profile::Kernel profiled("column_sum");
  at::parallel_for(0, lines, std::max<int64_t>(1, kGrain / (rows * kLine)), [&](int64_t begin, int64_t end) {
    const int64_t last = std::min(end * kLine, columns);
    for (int64_t first = begin * kLine; first < last; first += kColumns) {
      const int64_t count = std::min(kColumns, last - first);
      if (dtype == at::kFloat)
        sums_float(static_cast<const float*>(src) + first, static_cast<float*>(dst) + first, rows, count, columns);
      else
        sums_bfloat16(
            static_cast<const at::BFloat16*>(src) + first,
            static_cast<at::BFloat16*>(dst) + first,
            rows,
            count,
            columns);
    }
  });
}

} // namespace ipex::ops
