// Loops of ours that are compiled for AVX2 and for AVX-512, and the choice between the two.
//
// The files of this directory are built once per instruction set (CMakeLists.txt). They use plain pointers and no
// header whose inline functions another translation unit could share, or code for the wider machine might be linked
// into the narrower one's path.
#pragma once

#include <cstdint>

namespace ipex::simd {

// Elements of q, k, v, dst and the gradients.
enum class Type : int32_t { f32, bf16 };

// [batch, heads, tokens, size] somewhere in memory; strides in elements.
struct Heads {
  const void* data;
  int64_t strides[4];
};

// softmax(scale * q k^T + mask) v for every batch and head.
struct Attention {
  int64_t batch, heads, queries, keys;
  int64_t size; // of a query and a key
  int64_t value_size;
  float scale;
  bool causal; // query i sees keys 0 to i
  Type type;
  Heads q, k, v;
  const float* mask; // added to the scores; may be null
  int64_t mask_strides[4]; // zero where the mask is broadcast
  Heads dst;
  float* logsumexp; // may be null
  int64_t logsumexp_strides[3];
  float* weights; // [batch, heads, queries, keys], the softmax itself; may be null
  bool nan_when_hidden; // a query that sees no key becomes NaN instead of zero
};

struct AttentionBackward {
  Attention forward; // its dst and logsumexp are inputs
  Heads diff_dst, diff_q, diff_k, diff_v;
};

// One direction of one layer over all time steps. Gates are [steps, batch, gates * hidden], states [batch, hidden];
// weights are panels of 16 outputs, each gate padded to whole panels: [gates, panels, hidden, 16].
enum class Cell : int32_t { relu, tanh, lstm, gru };

struct Recurrent {
  Cell cell;
  bool reverse; // the last step comes first
  int64_t steps, batch, hidden;
  const float* weights;
  const float* input_gates; // products with the inputs, both biases included but for the new gate of a GRU
  const float* hidden_bias; // [hidden]: what a GRU adds to the hidden product of the new gate; may be null
  const float* hx;
  const float* cx; // LSTM
  float* dst; // [steps, batch, hidden]
  float* cy; // LSTM: [batch, hidden]
  // For the backward pass, may be null. LSTM: activated gates i, f, g, o and the cell state after the step; GRU: r, z,
  // n and the hidden product of the new gate. [steps, batch, (5 or 4) * hidden]
  float* workspace;
  float* gates; // work memory, [batch, gates * hidden rounded up to panels]
};

struct RecurrentBackward {
  Cell cell;
  bool reverse;
  int64_t steps, batch, hidden;
  const float* weights; // transposed: panels of 16 inputs, [panels, gates * hidden, 16]
  const float* workspace; // of the forward pass
  const float* dst; // of the forward pass
  const float* hx;
  const float* cx;
  const float* diff_dst; // [steps, batch, hidden]
  const float* diff_hy;
  const float* diff_cy;
  float* diff_input_gates; // [steps, batch, gates * hidden]
  float* diff_hidden_gates; // GRU: the same for the hidden products; otherwise null
  float* diff_hx;
  float* diff_cx;
  float* state; // work memory, [batch, hidden rounded up to panels]
};

constexpr int64_t kPanel = 16;

// Rows of adjacent floats somewhere in memory: at even distances, or each where a table says.
template <class T>
struct Rows {
  T* first = nullptr;
  int64_t stride = 0;
  T* const* table = nullptr;
};

// Rows of dst that a thread works on at a time: with packed weights, and with operands that it packs on the way, which pay
// for that with many rows.
constexpr int64_t kBlockRows = 132;
constexpr int64_t kPackedBlockRows = 240;

// dst [rows, columns] = left [rows, depth] x right [depth, columns] + bias.
struct MatrixProduct {
  enum class Operands : int32_t {
    // left: its rows. right: [columns / 16, depth, 16], `stride` from panel to panel; zeros after the last column.
    weights,
    // left: its columns, one per element of the depth. right: its rows, likewise; a table has `depth` entries per group
    // of columns.
    gradient,
  };
  Operands operands = Operands::weights;
  bool accumulate = false; // add to what dst holds; without bias
  int64_t rows, columns, depth;
  Rows<const float> left, right;
  Rows<float> dst;
  const float* bias = nullptr; // [columns]
  int64_t group = 0; // columns that share a table, a multiple of 16; 0: all

  // Whether operands are packed on the way, into work memory.
  bool packs() const {
    return operands == Operands::gradient;
  }
};

// The part of dst that one call makes; panels are 16 columns.
struct ProductBlock {
  int64_t first_row, last_row;
  int64_t first_panel, last_panel;
};

// dst [rows, columns] = (left [rows, depth] x right [depth, columns] + initial) * factors + bias: sums of products of bytes,
// which are exact, as float32.
struct ByteProduct {
  int64_t rows, columns;
  int64_t depth; // a multiple of 4
  const uint8_t* left;
  int64_t left_stride;
  const int8_t* right; // [columns / 16, depth / 4, 16, 4], zeros after the last column
  int64_t right_stride; // from panel to panel
  const int32_t* initial; // [columns, rounded up to a panel]; null: zeros
  const float* factors; // [columns]
  const float* bias; // [columns]; may be null
};

// Writes a block to dst, its first element, whose rows are `dst_stride` apart.
using ByteProductKernel =
    void (*)(const ByteProduct& product, const ProductBlock& block, float* dst, int64_t dst_stride);

struct Kernels {
  // Work memory for one thread, in bytes.
  int64_t (*attention_scratch)(const Attention& call);
  int64_t (*attention_backward_scratch)(const AttentionBackward& call);

  // Tasks are blocks of `attention_rows` queries of one head, in the order batch, head, block.
  int64_t (*attention_rows)(const Attention& call);
  void (*attention)(const Attention& call, int64_t begin, int64_t end, float* scratch);
  // Tasks are heads.
  void (*attention_backward)(const AttentionBackward& call, int64_t begin, int64_t end, float* scratch);

  // One step for the panels `begin` to `end` of the hidden units; each reads what all wrote in the step before.
  void (*recurrent_step)(const Recurrent& call, int64_t step, int64_t begin, int64_t end);
  // The gates' gradients of a step, from those of the states; then the states' gradients of the step before.
  void (*recurrent_backward_gates)(const RecurrentBackward& call, int64_t step, int64_t begin, int64_t end);
  void (*recurrent_backward_state)(const RecurrentBackward& call, int64_t step, int64_t begin, int64_t end);

  // Work memory for one thread, in bytes, the product, and the rows that it takes at a time.
  int64_t (*matrix_product_scratch)();
  void (*matrix_product)(const MatrixProduct& product, const ProductBlock& block, float* scratch);
  int64_t tile_rows;
  // Null where the instruction set lacks it; elsewhere the processor still has to have AVX512_VNNI.
  ByteProductKernel byte_product;

  // sums[c] = sum of rows[r][c] over all r.
  void (*sum_rows)(const float* rows, int64_t count, int64_t columns, float* sums);
};

namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}

} // namespace ipex::simd
