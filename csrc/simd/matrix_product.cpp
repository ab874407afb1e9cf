// Products of matrices with one factor in panels of 16 columns; a panel stays in the nearest cache while the rows pass.
//
// A tile of 6 rows by 16 columns (12 by 16 with AVX-512) stays in registers for a chunk of the depth. Rows are read
// where they lie; only what lies across the depth is copied first, through pointers when it is pixels under a
// convolution's kernel (as in Dukhan, "The Indirect Convolution Algorithm", 2019). Weights and rows are fetched ahead.
#include "simd/matrix_product.h"

namespace ipex::simd::IPEX_SIMD {

namespace {

constexpr int kVectors = kPanel / kLanes;
constexpr int kTileRows = 12 / kVectors;
// A chunk of the depth: a panel of it and a block of rows stay in the second cache. (256 to 512 are no faster: the sums are
// then read and written more often than the first cache makes up for.)
constexpr int64_t kChunk = 768;
// With kPackedBlockRows the same cache holds a smaller one.
constexpr int64_t kPackedChunk = 256;

// Between packed rows, so that they do not all begin in the same lines of a cache.
constexpr int64_t kRowGap = 16;

constexpr int64_t kLine = 64 / sizeof(float); // floats in a line of the caches

// Part of the depth.
struct Chunk {
  int64_t first, depth;
};

template <class T>
inline T* row_of(const Rows<T>& rows, int64_t r) {
  return rows.table ? rows.table[r] : rows.first + r * rows.stride;
}

// Lines of memory that are asked for ahead of their use, a few at a time: `per_row` of them every `stride` bytes.
struct Fetch {
  const char* row = nullptr;
  int64_t stride = 0;
  int64_t per_row = 1;
  int64_t lines = 0;
  int64_t next = 0; // in the row

  void ask(int64_t count) {
    for (count = least(count, lines), lines -= count; count > 0; --count) {
      __builtin_prefetch(row + 64 * next, 0, 2);
      if (++next == per_row) {
        next = 0;
        row += stride;
      }
    }
  }
};

struct Tile {
  const float* left; // [rows, depth], of the chunk
  int64_t left_stride;
  const float* right; // [depth, 16], of the chunk
  int64_t depth;
  float* dst[kTileRows];
  const float* initial; // 16 numbers that the sums start with; null: what dst holds
  int64_t columns; // that dst has
};

template <int kRows>
inline __attribute__((always_inline)) void run(const Tile& t, int64_t row) {
  V acc[kRows][kVectors];
  float edge[kPanel] = {};
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const float* from = t.initial ? t.initial : t.dst[r];
    if (!t.initial && t.columns < kPanel) {
      for (int64_t c = 0; c < t.columns; ++c)
        edge[c] = from[c];
      from = edge;
    }
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v)
      acc[r][v] = load(from + v * kLanes);
  }
  const float* left[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
    left[r] = t.left + (row + r) * t.left_stride;
  const float* right = t.right;
#pragma GCC unroll 4
  for (int64_t k = 0; k < t.depth; ++k, right += kPanel) {
    V b[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v)
      b[v] = load(right + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const V a = splat(left[r][k]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        acc[r][v] += a * b[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    float* to = t.columns < kPanel ? edge : t.dst[r];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v)
      store(to + v * kLanes, acc[r][v]);
    if (t.columns < kPanel)
      for (int64_t c = 0; c < t.columns; ++c)
        t.dst[r][c] = edge[c];
  }
}

template <int kRows>
inline void run_some(const Tile& t, int64_t row, int64_t rows) {
  if constexpr (kRows > 0) {
    if (rows == kRows)
      run<kRows>(t, row);
    else
      run_some<kRows - 1>(t, row, rows);
  }
}

// Rows of the next tile: all that fit, but no small rest that would leave the processor waiting for its sums.
inline int64_t tile_rows(int64_t left) {
  if (left <= kTileRows || left >= 2 * kTileRows)
    return least(left, kTileRows);
  return (left + 1) / 2;
}

// to[r][k] = rows[k][r]: four by four where there are as many.
void pack_left(const Rows<const float>& rows, int64_t first, int64_t depth, int64_t row, int64_t count, float* to) {
  const int64_t stride = depth + kRowGap;
  int64_t k = 0;
  for (; k + 4 <= depth; k += 4) {
    const float* from[4];
    for (int i = 0; i < 4; ++i)
      from[i] = row_of(rows, first + k + i) + row;
    int64_t r = 0;
    for (; r + 4 <= count; r += 4) {
      __m128 a = _mm_loadu_ps(from[0] + r), b = _mm_loadu_ps(from[1] + r), c = _mm_loadu_ps(from[2] + r),
             d = _mm_loadu_ps(from[3] + r);
      _MM_TRANSPOSE4_PS(a, b, c, d);
      _mm_storeu_ps(to + r * stride + k, a);
      _mm_storeu_ps(to + (r + 1) * stride + k, b);
      _mm_storeu_ps(to + (r + 2) * stride + k, c);
      _mm_storeu_ps(to + (r + 3) * stride + k, d);
    }
    for (; r < count; ++r)
      for (int i = 0; i < 4; ++i)
        to[r * stride + k + i] = from[i][r];
  }
  for (; k < depth; ++k)
    for (int64_t r = 0; r < count; ++r)
      to[r * stride + k] = row_of(rows, first + k)[row + r];
}

// to[p][k][c] = rows[k][column + 16 p + c] for `panels` panels, zero where there are no more columns.
void pack_rows(
    const Rows<const float>& rows,
    int64_t first,
    int64_t depth,
    int64_t column,
    int64_t columns,
    int64_t panels,
    float* to) {
  const int64_t whole = columns / kPanel;
  for (int64_t k = 0; k < depth; ++k, to += kPanel) {
    const float* from = row_of(rows, first + k) + column;
    float* out = to;
    for (int64_t p = 0; p < panels; ++p, from += kPanel, out += depth * kPanel) {
      if (p < whole)
        for (int v = 0; v < kVectors; ++v)
          store(out + v * kLanes, load(from + v * kLanes));
      else
        for (int64_t c = 0; c < kPanel; ++c)
          out[c] = p * kPanel + c < columns ? from[c] : 0;
    }
  }
}

// Panels that are packed together: a row that lies in a page of its own is visited once for all of them.
constexpr int64_t kTogether = 4;

// The panels from `panel` on, up to `last` and kTogether; returns how many.
int64_t pack_right(const MatrixProduct& p, const Chunk& chunk, int64_t panel, int64_t last, float* to) {
  const int64_t column = panel * kPanel;
  Rows<const float> rows = p.right;
  int64_t end = p.columns, in_group = column;
  if (p.group != 0) {
    const int64_t group = column / p.group;
    rows.table += group * p.depth;
    in_group -= group * p.group;
    end = (group + 1) * p.group;
  }
  const int64_t panels = least(least(kTogether, last - panel), (end - column + kPanel - 1) / kPanel);
  pack_rows(rows, chunk.first, chunk.depth, in_group, end - column, panels, to);
  return panels;
}

// The chunk that begins at `first`: all of equal length.
Chunk next_chunk(int64_t depth, int64_t first, int64_t longest) {
  const int64_t parts = (depth + longest - 1) / longest;
  return {first, least(round_up((depth + parts - 1) / parts, 4), depth - first)};
}

// The tiles of one panel in a block of rows.
void run_panel(Tile& t, const MatrixProduct& p, int64_t row, int64_t rows, int64_t panel, Fetch& left, Fetch& right) {
  const int64_t column = panel * kPanel;
  t.columns = least(kPanel, p.columns - column);
  const int64_t right_lines = right.lines / ((rows + kTileRows - 1) / kTileRows) + 1;
  for (int64_t r = 0, count; r < rows; r += count) {
    count = tile_rows(rows - r);
    for (int64_t i = 0; i < count; ++i)
      t.dst[i] = row_of(p.dst, row + r + i) + column;
    left.ask(kTileRows * left.per_row);
    right.ask(right_lines);
    run_some<kTileRows>(t, r, count);
  }
}

// One chunk of the depth for a block of rows, with packed weights.
void multiply_weights(const MatrixProduct& p, const ProductBlock& block, const Chunk& chunk, int64_t rows) {
  const bool begins = chunk.first == 0 && !p.accumulate;
  Tile t;
  t.depth = chunk.depth;
  t.left = p.left.first + block.first_row * p.left.stride + chunk.first;
  t.left_stride = p.left.stride;
  // The first panel meets rows that come from far away.
  Fetch left;
  left.row = reinterpret_cast<const char*>(t.left + kTileRows * t.left_stride);
  left.stride = p.left.stride * static_cast<int64_t>(sizeof(float));
  left.per_row = (chunk.depth + kLine - 1) / kLine;
  left.lines = left.per_row * (rows > kTileRows ? rows - kTileRows : 0);
  const float* chunks = p.right.first + chunk.first * kPanel;
  for (int64_t c = block.first_panel; c < block.last_panel; ++c) {
    t.right = chunks + c * p.right.stride;
    const float* next = c + 1 < block.last_panel ? t.right + p.right.stride
                                                 : chunks + block.first_panel * p.right.stride + chunk.depth * kPanel;
    Fetch right{reinterpret_cast<const char*>(next), 0, chunk.depth + 1, chunk.depth, 0};
    float initial[kPanel] = {};
    if (begins && p.bias)
      for (int64_t i = 0; i < least(kPanel, p.columns - c * kPanel); ++i)
        initial[i] = p.bias[c * kPanel + i];
    t.initial = begins ? initial : nullptr;
    run_panel(t, p, block.first_row, rows, c, left, right);
  }
}

// The same with both operands across: they are packed into `scratch`.
void multiply_gradient(
    const MatrixProduct& p,
    const ProductBlock& block,
    const Chunk& chunk,
    int64_t rows,
    float* scratch) {
  const float zeros[kPanel] = {};
  float* const left = scratch + kTogether * kPackedChunk * kPanel;
  pack_left(p.left, chunk.first, chunk.depth, block.first_row, rows, left);
  Tile t;
  t.depth = chunk.depth;
  t.left = left;
  t.left_stride = chunk.depth + kRowGap;
  t.initial = chunk.first == 0 && !p.accumulate ? zeros : nullptr;
  Fetch nothing;
  for (int64_t c = block.first_panel; c < block.last_panel;) {
    const int64_t count = pack_right(p, chunk, c, block.last_panel, scratch);
    t.right = scratch;
    for (int64_t end = c + count; c < end; ++c, t.right += chunk.depth * kPanel)
      run_panel(t, p, block.first_row, rows, c, nothing, nothing);
  }
}

} // namespace

int64_t matrix_product_scratch() {
  const int64_t floats = kTogether * kPanel * kPackedChunk + kPackedBlockRows * (kPackedChunk + kRowGap);
  return floats * static_cast<int64_t>(sizeof(float));
}

void matrix_product(const MatrixProduct& p, const ProductBlock& block, float* scratch) {
  const bool packs = p.operands == MatrixProduct::Operands::gradient;
  const int64_t most_rows = packs ? kPackedBlockRows : kBlockRows;
  ProductBlock part = block;
  for (int64_t rows; part.first_row < block.last_row; part.first_row += rows) {
    // Blocks of equal size, in whole tiles.
    const int64_t rest = block.last_row - part.first_row, blocks = (rest + most_rows - 1) / most_rows;
    rows = least(rest, round_up((rest + blocks - 1) / blocks, kTileRows));
    for (int64_t first = 0; first < p.depth;) {
      const Chunk chunk = next_chunk(p.depth, first, packs ? kPackedChunk : kChunk);
      if (packs)
        multiply_gradient(p, part, chunk, rows, scratch);
      else
        multiply_weights(p, part, chunk, rows);
      first += chunk.depth;
    }
  }
}

} // namespace ipex::simd::IPEX_SIMD
