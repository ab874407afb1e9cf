// Products of uint8 rows with int8 weights in panels of 16 columns, by the instruction that adds four products of bytes to an
// int32 (AVX512_VNNI).
//
// A tile of 14 rows by two panels stays in registers for the whole depth, since a panel is a quarter of what it is in
// float32: 28 sums, 2 vectors of weights, one of a row. Weights of the next panels are asked for meanwhile, a line at a time.
#include "simd/byte_product.h"

namespace ipex::simd::IPEX_SIMD {

#ifdef __AVX512F__

#pragma GCC push_options
#pragma GCC target("avx512vnni")

namespace {

constexpr int kTileRows = 14;
constexpr int kTilePanels = 2;
constexpr int64_t kDeep = 4; // elements of the depth that one instruction takes
constexpr int64_t kLine = 64; // bytes
constexpr int64_t kStepsPerLine = 4; // between lines that are asked for

struct Tile {
  const uint8_t* left;
  int64_t left_stride;
  const int8_t* right;
  int64_t right_stride; // from panel to panel
  int64_t steps; // of kDeep
  const int32_t* initial;
  const float *factors, *bias;
  float* dst;
  int64_t dst_stride;
  int64_t columns; // that dst has
  const int8_t* ahead; // asked for meanwhile: a line for every kStepsPerLine steps
};

inline __m512i load_bytes(const void* from) {
  return _mm512_loadu_si512(from);
}

// sum += a x b by fours, a uint8, b int8. (As an intrinsic GCC 12 moves sums between registers, and some to memory.)
inline __attribute__((always_inline)) void add_products(__m512i& sum, __m512i a, __m512i b) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}

template <int kRows, int kPanels>
inline __attribute__((always_inline)) void run(const Tile& t) {
  __m512i acc[kRows][kPanels];
#pragma GCC unroll 2
  for (int p = 0; p < kPanels; ++p) {
    const __m512i start = t.initial ? load_bytes(t.initial + p * kPanel) : _mm512_setzero_si512();
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
      acc[r][p] = start;
  }
  const uint8_t* left[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
    left[r] = t.left + r * t.left_stride;
  const int8_t* right = t.right;
  const int8_t* ahead = t.ahead;
  const auto step = [&](int64_t i) __attribute__((always_inline)) {
    __m512i b[kPanels];
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p)
      b[p] = load_bytes(right + p * t.right_stride);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      int32_t four;
      __builtin_memcpy(&four, left[r] + i * kDeep, sizeof four);
      const __m512i a = _mm512_set1_epi32(four);
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; ++p)
        add_products(acc[r][p], a, b[p]);
    }
    right += kLine;
  };
  int64_t i = 0;
  for (; i + kStepsPerLine <= t.steps; i += kStepsPerLine, ahead += kLine) {
    __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 4
    for (int64_t j = 0; j < kStepsPerLine; ++j)
      step(i + j);
  }
  for (; i < t.steps; ++i)
    step(i);
#pragma GCC unroll 2
  for (int p = 0; p < kPanels; ++p) {
    const int64_t count = least(kPanel, t.columns - p * kPanel);
    const auto mask = static_cast<__mmask16>((1u << count) - 1);
    const __m512 factor = _mm512_maskz_loadu_ps(mask, t.factors + p * kPanel);
    const __m512 bias = t.bias ? _mm512_maskz_loadu_ps(mask, t.bias + p * kPanel) : _mm512_setzero_ps();
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m512 value = _mm512_fmadd_ps(__m512(__builtin_convertvector(I(acc[r][p]), V)), factor, bias);
      _mm512_mask_storeu_ps(t.dst + r * t.dst_stride + p * kPanel, mask, value);
    }
  }
}

template <int kRows, int kPanels>
inline void run_some(const Tile& t, int64_t rows) {
  if constexpr (kRows > 0) {
    if (rows == kRows)
      run<kRows, kPanels>(t);
    else
      run_some<kRows - 1, kPanels>(t, rows);
  }
}

// Rows of the next tile: all that fit, but no small rest that would leave the processor waiting for its sums.
inline int64_t tile_rows(int64_t left) {
  if (left <= kTileRows || left >= 2 * kTileRows)
    return least(left, kTileRows);
  return (left + 1) / 2;
}

void byte_product(const ByteProduct& p, const ProductBlock& block, float* dst, int64_t dst_stride) {
  Tile t;
  t.left_stride = p.left_stride;
  t.right_stride = p.right_stride;
  t.steps = p.depth / kDeep;
  t.dst_stride = dst_stride;
  for (int64_t panel = block.first_panel, panels; panel < block.last_panel; panel += panels) {
    panels = least(kTilePanels, block.last_panel - panel);
    const int64_t column = panel * kPanel;
    t.right = p.right + panel * p.right_stride;
    t.initial = p.initial ? p.initial + column : nullptr;
    t.factors = p.factors + column;
    t.bias = p.bias ? p.bias + column : nullptr;
    t.columns = p.columns - column;
    const int64_t after = panel + panels;
    const int8_t* next = after < block.last_panel ? p.right + after * p.right_stride : t.right;
    const int64_t lines = t.steps / kStepsPerLine, most = t.steps * panels; // that a tile asks for, and that there are
    int64_t asked = 0;
    for (int64_t row = block.first_row, count; row < block.last_row; row += count) {
      count = tile_rows(block.last_row - row);
      t.left = p.left + row * p.left_stride;
      t.dst = dst + (row - block.first_row) * dst_stride + (panel - block.first_panel) * kPanel;
      t.ahead = asked + lines <= most ? next + asked * kLine : t.right;
      asked += lines;
      if (panels == kTilePanels)
        run_some<kTileRows, kTilePanels>(t, count);
      else
        run_some<kTileRows, 1>(t, count);
    }
  }
}

} // namespace

#pragma GCC pop_options

const ByteProductKernel kByteProduct = byte_product;

#else

const ByteProductKernel kByteProduct = nullptr;

#endif

} // namespace ipex::simd::IPEX_SIMD
