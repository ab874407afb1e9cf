// Products of a matrix with another one that is packed in panels of 16 columns: [panels, depth, 16].
//
// The accumulators of a tile stay in registers: 6 rows by 16 columns with AVX2, 12 by 16 with AVX-512.
#pragma once

#include "simd/kernels.h"
#include "simd/vector.h"

namespace ipex::simd::IPEX_SIMD {

namespace {

constexpr int kVectors = kPanel / kLanes;
constexpr int kRows = 12 / kVectors;

// The left matrix: element (row, k) lies at data[row * row_stride + k * step].
struct Left {
  const float* data;
  int64_t row_stride;
  int64_t step;
};

struct Panels {
  const float* data;
  int64_t stride; // from panel to panel
};

// The product, or what it is added to: panel p of row r starts at data[r * row_stride + p * stride].
struct Product {
  float* data;
  int64_t row_stride;
  int64_t stride;
  bool accumulate;
};

template <int kTileRows, int kTilePanels>
inline __attribute__((always_inline)) void tile(
    int64_t depth,
    const float* a,
    int64_t a_row,
    int64_t a_step,
    Panels b,
    float* c,
    int64_t c_row,
    int64_t c_panel,
    bool accumulate) {
  V acc[kTileRows][kTilePanels][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 4
    for (int p = 0; p < kTilePanels; ++p)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        acc[r][p][v] = accumulate ? load(c + r * c_row + p * c_panel + v * kLanes) : V{};
  const float* panel = b.data;
  for (int64_t k = 0; k < depth; ++k, panel += kPanel, a += a_step) {
    V right[kTilePanels][kVectors];
#pragma GCC unroll 4
    for (int p = 0; p < kTilePanels; ++p)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        right[p][v] = load(panel + p * b.stride + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
      const V left = splat(a[r * a_row]);
#pragma GCC unroll 4
      for (int p = 0; p < kTilePanels; ++p)
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v)
          acc[r][p][v] += left * right[p][v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 4
    for (int p = 0; p < kTilePanels; ++p)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        store(c + r * c_row + p * c_panel + v * kLanes, acc[r][p][v]);
}

// A tile of up to kTileRows rows.
template <int kTileRows, int kTilePanels>
inline void some(int64_t rows, int64_t depth, Left a, Panels b, Product c) {
  if constexpr (kTileRows > 0) {
    if (rows == kTileRows)
      tile<kTileRows, kTilePanels>(
          depth, a.data, a.row_stride, a.step, b, c.data, c.row_stride, c.stride, c.accumulate);
    else
      some<kTileRows - 1, kTilePanels>(rows, depth, a, b, c);
  }
}

template <int kTileRows, int kTilePanels>
inline void column(int64_t rows, int64_t depth, Left a, Panels b, Product c) {
  const auto advance = [&](int64_t done) {
    a.data += done * a.row_stride;
    c.data += done * c.row_stride;
    rows -= done;
  };
  for (; rows >= 2 * kTileRows; advance(kTileRows))
    tile<kTileRows, kTilePanels>(depth, a.data, a.row_stride, a.step, b, c.data, c.row_stride, c.stride, c.accumulate);
  // Two tiles of similar height instead of a whole one and one that is too low to keep the processor busy.
  if (rows > kTileRows) {
    const int64_t half = (rows + 1) / 2;
    some<kTileRows, kTilePanels>(half, depth, a, b, c);
    advance(half);
  }
  some<kTileRows, kTilePanels>(rows, depth, a, b, c);
}

inline void gemm(int64_t rows, int64_t depth, int64_t panels, Left a, Panels b, Product c) {
  // Few rows fill the registers with more panels instead: otherwise every product waits for the one before.
  int64_t p = 0;
  if (rows <= kRows / 6)
    for (; p + 4 <= panels; p += 4, b.data += 4 * b.stride, c.data += 4 * c.stride)
      column<kRows / 6, 4>(rows, depth, a, b, c);
  else if (rows <= kRows / 2)
    for (; p + 2 <= panels; p += 2, b.data += 2 * b.stride, c.data += 2 * c.stride)
      column<kRows / 2, 2>(rows, depth, a, b, c);
  for (; p < panels; ++p, b.data += b.stride, c.data += c.stride)
    column<kRows, 1>(rows, depth, a, b, c);
}

// to[c][r] = from[r][c] for 16 rows; columns in whole fours, both sides padded.
inline void transpose_panel(const float* from, int64_t columns, float* to) {
  for (int64_t c = 0; c < columns; c += 4)
    for (int64_t r = 0; r < kPanel; r += 4) {
      const float* block = from + r * columns + c;
      __m128 a0 = _mm_loadu_ps(block), a1 = _mm_loadu_ps(block + columns), a2 = _mm_loadu_ps(block + 2 * columns),
             a3 = _mm_loadu_ps(block + 3 * columns);
      _MM_TRANSPOSE4_PS(a0, a1, a2, a3);
      float* out = to + c * kPanel + r;
      _mm_storeu_ps(out, a0);
      _mm_storeu_ps(out + kPanel, a1);
      _mm_storeu_ps(out + 2 * kPanel, a2);
      _mm_storeu_ps(out + 3 * kPanel, a3);
    }
}

} // namespace

} // namespace ipex::simd::IPEX_SIMD
