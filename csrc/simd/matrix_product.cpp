// Products of matrices with one factor in panels of 16 columns; a panel stays in the nearest cache while the rows pass.
//
// A tile of 6 rows by 16 columns (12 by 16 with AVX-512) stays in registers for a chunk of the depth. Rows are read
// where they lie, through pointers when they are pixels under a convolution's kernel (Dukhan, "The Indirect Convolution
// Algorithm", 2019); only what lies across the depth is copied first. The next panel is fetched while this one is used.
#include "simd/matrix_product.h"

namespace ipex::simd::IPEX_SIMD {

namespace {

constexpr int kVectors = kPanel / kLanes;
constexpr int kTileRows = 12 / kVectors;
// A chunk of the depth: a panel of it takes 32 kB, and a block of rows stays in the second cache.
constexpr int64_t kChunk = 512;
constexpr int64_t kBlockRows = 132;
// Panels that are packed on the way pay for that with many rows, and those again with a smaller chunk.
constexpr int64_t kPackedChunk = 256;
constexpr int64_t kPackedBlockRows = 240;

// Part of the depth: `segments` whole segments from `segment` on, or elements of one.
struct Chunk {
  int64_t segment, segments;
  int64_t first, depth; // within each segment
};

template <class T>
inline T* row_of(const Rows<T>& rows, int64_t r) {
  return rows.table ? rows.table[r] : rows.first + r * rows.stride;
}

// The rows of a block, for every segment.
struct Left {
  const float* first;
  int64_t stride;
  const float* const* table;
  int64_t table_stride;

  const float* row(int64_t segment, int64_t r) const {
    return table ? table[segment * table_stride + r] : first + r * stride;
  }
};

struct Tile {
  Chunk chunk;
  Left left;
  const float* right; // the panel, or its chunk of the only segment
  const int32_t* panel_segments;
  int64_t segment_stride; // in the panel
  float* dst[kTileRows];
  const float* initial; // 16 numbers that the sums start with; null: what dst holds
  int64_t columns; // that dst has
  const char* fetch; // lines to have in the cache soon
  int64_t fetch_lines;
};

template <int kRows>
inline __attribute__((always_inline)) void run(const Tile& t, int64_t row) {
  for (int64_t line = 0; line < t.fetch_lines; ++line)
    __builtin_prefetch(t.fetch + 64 * line, 0, 2);
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
  for (int64_t s = t.chunk.segment; s < t.chunk.segment + t.chunk.segments; ++s) {
    const float* right = t.right + (t.panel_segments ? t.panel_segments[s] : s) * t.segment_stride;
    const float* left[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
      left[r] = t.left.row(s, row + r) + t.chunk.first;
#pragma GCC unroll 4
    for (int64_t k = 0; k < t.chunk.depth; ++k, right += kPanel) {
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
      _mm_storeu_ps(to + r * depth + k, a);
      _mm_storeu_ps(to + (r + 1) * depth + k, b);
      _mm_storeu_ps(to + (r + 2) * depth + k, c);
      _mm_storeu_ps(to + (r + 3) * depth + k, d);
    }
    for (; r < count; ++r)
      for (int i = 0; i < 4; ++i)
        to[r * depth + k + i] = from[i][r];
  }
  for (; k < depth; ++k)
    for (int64_t r = 0; r < count; ++r)
      to[r * depth + k] = row_of(rows, first + k)[row + r];
}

// to[k][c] = rows[k][column + c], zero where there are no more columns.
void pack_rows(const Rows<const float>& rows, int64_t first, int64_t depth, int64_t column, int64_t columns, float* to) {
  if (columns >= kPanel)
    for (int64_t k = 0; k < depth; ++k, to += kPanel) {
      const float* from = row_of(rows, first + k) + column;
      for (int v = 0; v < kVectors; ++v)
        store(to + v * kLanes, load(from + v * kLanes));
    }
  else
    for (int64_t k = 0; k < depth; ++k, to += kPanel) {
      const float* from = row_of(rows, first + k) + column;
      for (int64_t c = 0; c < kPanel; ++c)
        to[c] = c < columns ? from[c] : 0;
    }
}

// to[k][c] = rows[column + c][k].
void pack_columns(const Rows<const float>& rows, int64_t first, int64_t depth, int64_t column, int64_t columns, float* to) {
  for (int64_t c = 0; c < kPanel; c += 4) {
    const float* from[4];
    for (int i = 0; i < 4; ++i)
      from[i] = row_of(rows, column + (c + i < columns ? c + i : 0)) + first;
    float* out = to + c;
    int64_t k = 0;
    for (; k + 4 <= depth; k += 4, out += 4 * kPanel) {
      __m128 p = _mm_loadu_ps(from[0] + k), q = _mm_loadu_ps(from[1] + k), r = _mm_loadu_ps(from[2] + k),
             s = _mm_loadu_ps(from[3] + k);
      _MM_TRANSPOSE4_PS(p, q, r, s);
      _mm_storeu_ps(out, p);
      _mm_storeu_ps(out + kPanel, q);
      _mm_storeu_ps(out + 2 * kPanel, r);
      _mm_storeu_ps(out + 3 * kPanel, s);
    }
    for (; k < depth; ++k, out += kPanel)
      for (int i = 0; i < 4; ++i)
        out[i] = from[i][k];
  }
}

void pack_right(const MatrixProduct& p, const Chunk& chunk, int64_t column, int64_t columns, float* to) {
  if (p.right_kind == MatrixProduct::Right::columns)
    return pack_columns(p.right, chunk.first, chunk.depth, column, columns, to);
  Rows<const float> rows = p.right;
  if (p.group != 0) {
    rows.table += column / p.group * p.depth;
    column %= p.group;
  }
  pack_rows(rows, chunk.first, chunk.depth, column, columns, to);
}

// The chunk that begins at `segment` and, in it, at `first`.
Chunk next_chunk(const MatrixProduct& p, int64_t segment, int64_t first, int64_t longest) {
  if (p.depth > longest) {
    const int64_t parts = (p.depth + longest - 1) / longest;
    const int64_t part = round_up((p.depth + parts - 1) / parts, 4);
    return {segment, 1, first, least(part, p.depth - first)};
  }
  const int64_t most = longest / p.depth, parts = (p.segments + most - 1) / most;
  return {segment, least((p.segments + parts - 1) / parts, p.segments - segment), 0, p.depth};
}

} // namespace

int64_t matrix_product_scratch() {
  return (kPackedBlockRows + kPanel) * kPackedChunk * static_cast<int64_t>(sizeof(float));
}

void matrix_product(const MatrixProduct& p, const ProductBlock& block, float* scratch) {
  const bool packs_left = p.left_kind == MatrixProduct::Left::columns;
  const bool packs_right = p.right_kind != MatrixProduct::Right::panels;
  const int64_t longest = packs_left || packs_right ? kPackedChunk : kChunk;
  const int64_t most_rows = packs_left || packs_right ? kPackedBlockRows : kBlockRows;
  float* const panel = scratch;
  float* const rows = scratch + kPackedChunk * kPanel;
  const float zeros[kPanel] = {};

  for (int64_t row = block.first_row, rows_here; row < block.last_row; row += rows_here) {
    // Blocks of equal size, in whole tiles.
    const int64_t rest = block.last_row - row, blocks = (rest + most_rows - 1) / most_rows;
    rows_here = least(rest, round_up((rest + blocks - 1) / blocks, kTileRows));
    for (int64_t segment = 0, first = 0; segment < p.segments;) {
      const Chunk chunk = next_chunk(p, segment, first, longest);
      const bool begins = segment == 0 && first == 0;
      Tile t;
      t.chunk = chunk;
      t.panel_segments = p.panel_segments;
      t.segment_stride = p.depth * kPanel;
      t.left = {p.left.first + row * p.left.stride, p.left.stride, p.left.table ? p.left.table + row : nullptr, p.rows};
      if (packs_left) {
        pack_left(p.left, first, chunk.depth, row, rows_here, rows);
        t.left = {rows, chunk.depth, nullptr, 0};
        t.chunk.first = 0;
      }
      const int64_t lines = chunk.segments * chunk.depth;
      for (int64_t c = block.first_panel; c < block.last_panel; ++c) {
        const int64_t column = c * kPanel;
        t.columns = least(kPanel, p.columns - column);
        t.fetch = nullptr;
        int64_t lines_left = 0;
        if (packs_right) {
          pack_right(p, chunk, column, t.columns, panel);
          t.right = panel;
        } else {
          const float* panels = p.right.first + first * kPanel;
          t.right = panels + c * p.right.stride;
          lines_left = lines;
          // In order, as most are; otherwise nothing is lost but the time of asking.
          t.fetch = reinterpret_cast<const char*>(
              (c + 1 < block.last_panel ? t.right + p.right.stride
                                        : panels + block.first_panel * p.right.stride + lines * kPanel) +
              segment * t.segment_stride);
        }
        float initial[kPanel] = {};
        t.initial = begins && !p.accumulate ? zeros : nullptr;
        if (begins && p.bias) {
          for (int64_t i = 0; i < t.columns; ++i)
            initial[i] = p.bias[column + i];
          t.initial = initial;
        }
        const int64_t tiles = (rows_here + kTileRows - 1) / kTileRows;
        const int64_t lines_each = (lines_left + tiles - 1) / tiles;
        for (int64_t r = 0, count; r < rows_here; r += count) {
          count = tile_rows(rows_here - r);
          for (int64_t i = 0; i < count; ++i)
            t.dst[i] = row_of(p.dst, row + r + i) + column;
          t.fetch_lines = least(lines_each, lines_left);
          run_some<kTileRows>(t, r, count);
          lines_left -= t.fetch_lines;
          t.fetch += 64 * t.fetch_lines;
        }
      }
      first = chunk.first + chunk.depth;
      if (first == p.depth) {
        segment += chunk.segments;
        first = 0;
      }
    }
  }
}

} // namespace ipex::simd::IPEX_SIMD
