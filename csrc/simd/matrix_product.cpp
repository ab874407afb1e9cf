// Products of matrices with one factor in panels of 16 columns; a panel stays in the nearest cache while the rows pass.
//
// A tile of 6 rows by one panel (14 rows by two with AVX-512) stays in registers for a chunk of the depth. Rows are read
// where they lie; only what lies across the depth is copied first, through pointers when it is pixels under a
// convolution's kernel (as in Dukhan, "The Indirect Convolution Algorithm", 2019). Weights are fetched ahead,
// a line at a time between multiplications: in bursts they would wait for each other.
#include "simd/matrix_product.h"

namespace ipex::simd::IPEX_SIMD {

namespace {

constexpr int kVectors = kPanel / kLanes;
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

struct Tile {
  const float* left; // [rows, depth], of the chunk
  int64_t left_stride;
  const float* right; // [panels, depth, 16], of the chunk
  int64_t right_stride; // from panel to panel
  int64_t panels;
  int64_t depth;
  float* dst[kTileRows];
  const float* initial; // numbers of the panels that the sums start with; null: what dst holds
  int64_t columns; // that dst has
  const float* ahead; // asked for meanwhile: a line for every kLinePer elements of the depth
};

// Elements of the depth per line that is asked for ahead: between the multiplications there is room for so many.
constexpr int64_t kLinePer = kTilePanels == 1 ? 8 : 4;

template <int kRows, int kPanels>
inline __attribute__((always_inline)) void run(const Tile& t, int64_t row) {
  constexpr int64_t kColumns = kPanels * kPanel;
  V acc[kRows][kPanels][kVectors];
  float edge[kColumns] = {};
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const float* from = t.initial ? t.initial : t.dst[r];
    if (!t.initial && t.columns < kColumns) {
      for (int64_t c = 0; c < t.columns; ++c)
        edge[c] = from[c];
      from = edge;
    }
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        acc[r][p][v] = load(from + p * kPanel + v * kLanes);
  }
  const float* left[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
    left[r] = t.left + (row + r) * t.left_stride;
  const float* right = t.right;
  const float* ahead = t.ahead;
  const auto step = [&](int64_t k) __attribute__((always_inline)) {
    V b[kPanels][kVectors];
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        b[p][v] = load(right + p * t.right_stride + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const V a = splat(left[r][k]);
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; ++p)
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v)
          acc[r][p][v] += a * b[p][v];
    }
    right += kPanel;
  };
  int64_t k = 0;
  for (; k + kLinePer <= t.depth; k += kLinePer, ahead += kLine) {
    __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 8
    for (int64_t i = 0; i < kLinePer; ++i)
      step(k + i);
  }
  for (; k < t.depth; ++k)
    step(k);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    float* to = t.columns < kColumns ? edge : t.dst[r];
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        store(to + p * kPanel + v * kLanes, acc[r][p][v]);
    if (t.columns < kColumns)
      for (int64_t c = 0; c < t.columns; ++c)
        t.dst[r][c] = edge[c];
  }
}

template <int kRows, int kPanels>
inline void run_some(const Tile& t, int64_t row, int64_t rows) {
  if constexpr (kRows > 0) {
    if (rows == kRows)
      run<kRows, kPanels>(t, row);
    else
      run_some<kRows - 1, kPanels>(t, row, rows);
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

// The tiles of t.panels panels in a block of rows. `next`: the panels after them; null: there are none to ask for.
void run_panels(Tile& t, const MatrixProduct& p, int64_t row, int64_t rows, int64_t panel, const float* next) {
  const int64_t column = panel * kPanel;
  t.columns = least(t.panels * kPanel, p.columns - column);
  const int64_t lines = t.depth / kLinePer; // that a tile asks for
  int64_t asked = 0, next_panel = 0;
  for (int64_t r = 0, count; r < rows; r += count) {
    count = tile_rows(rows - r);
    for (int64_t i = 0; i < count; ++i)
      t.dst[i] = row_of(p.dst, row + r + i) + column;
    if (next && asked >= t.depth) {
      asked = 0;
      if (++next_panel == t.panels)
        next = nullptr;
    }
    t.ahead = next ? next + next_panel * t.right_stride + asked * kLine : t.right;
    asked += lines;
    if (t.panels == kTilePanels)
      run_some<kTileRows, kTilePanels>(t, r, count);
    else
      run_some<kTileRows, 1>(t, r, count);
  }
}

// One chunk of the depth for a block of rows, with packed weights.
void multiply_weights(const MatrixProduct& p, const ProductBlock& block, const Chunk& chunk, int64_t rows) {
  const bool begins = chunk.first == 0 && !p.accumulate;
  Tile t;
  t.depth = chunk.depth;
  t.left = p.left.first + block.first_row * p.left.stride + chunk.first;
  t.left_stride = p.left.stride;
  const float* chunks = p.right.first + chunk.first * kPanel;
  t.right_stride = p.right.stride;
  for (int64_t c = block.first_panel; c < block.last_panel; c += t.panels) {
    t.panels = least(kTilePanels, block.last_panel - c);
    t.right = chunks + c * p.right.stride;
    const int64_t after = c + t.panels;
    const float* next = after < block.last_panel ? chunks + after * p.right.stride
                                                 : chunks + block.first_panel * p.right.stride + chunk.depth * kPanel;
    float initial[kTilePanels * kPanel] = {};
    if (begins && p.bias)
      for (int64_t i = 0; i < least(t.panels * kPanel, p.columns - c * kPanel); ++i)
        initial[i] = p.bias[c * kPanel + i];
    t.initial = begins ? initial : nullptr;
    run_panels(t, p, block.first_row, rows, c, next);
  }
}

// The same with both operands across: they are packed into `scratch`.
void multiply_gradient(
    const MatrixProduct& p,
    const ProductBlock& block,
    const Chunk& chunk,
    int64_t rows,
    float* scratch) {
  const float zeros[kTilePanels * kPanel] = {};
  float* const left = scratch + kTogether * kPackedChunk * kPanel;
  pack_left(p.left, chunk.first, chunk.depth, block.first_row, rows, left);
  Tile t;
  t.depth = chunk.depth;
  t.left = left;
  t.left_stride = chunk.depth + kRowGap;
  t.initial = chunk.first == 0 && !p.accumulate ? zeros : nullptr;
  for (int64_t c = block.first_panel; c < block.last_panel;) {
    const int64_t count = pack_right(p, chunk, c, block.last_panel, scratch);
    t.right = scratch;
    t.right_stride = chunk.depth * kPanel;
    for (const int64_t end = c + count; c < end; c += t.panels, t.right += t.panels * t.right_stride) {
      t.panels = least(kTilePanels, end - c);
      run_panels(t, p, block.first_row, rows, c, nullptr);
    }
  }
}

} // namespace

int64_t matrix_product_scratch() {
  const int64_t floats = kTogether * kPanel * kPackedChunk + kPackedBlockRows * (kPackedChunk + kRowGap);
  return floats * static_cast<int64_t>(sizeof(float));
}

void matrix_product(const MatrixProduct& p, const ProductBlock& block, float* scratch) {
  const bool packs = p.packs();
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
