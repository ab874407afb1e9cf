// What recurrent layers share in both directions: their arguments in terms of csrc/simd, and the run over all steps.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "forms/packed.h"
#include "ops/simd.h"

namespace ipex::ops {

// PyTorch's numbers for the kinds of layers.
enum : int64_t { kRnnRelu = 0, kRnnTanh = 1, kLstm = 2, kGru = 3 };

struct RecurrentArguments {
  const at::Tensor& input; // [steps, batch, size]
  const at::Tensor& weight_ih; // [gates * hidden, size]
  const at::Tensor& weight_hh; // [gates * hidden, hidden]
  const at::Tensor& bias_ih; // [gates * hidden]
  const at::Tensor& bias_hh;
  const at::Tensor& hx; // [batch, hidden], or with ones in front
  const at::Tensor& cx; // the same for LSTM
  int64_t mode;
  int64_t hidden;
  bool has_biases;
};

struct RecurrentSizes {
  simd::Cell cell;
  int64_t steps, batch, size, hidden, gates;
  int64_t workspace; // floats per step, batch entry and hidden unit
};

// Nothing for what our kernels do not take: other dtypes than float32, sizes that do not fit, no elements, no AVX2.
std::optional<RecurrentSizes> recurrent_sizes(const RecurrentArguments& arguments);

// Packed weight_hh for the product with a state, and its transpose for the product with the gates' gradients.
forms::PackedWeights pack_hidden_weights(const at::Tensor& weight, const RecurrentSizes& sizes);
forms::PackedWeights pack_transposed_hidden_weights(const at::Tensor& weight, const RecurrentSizes& sizes);

// Calls `kernel(step, begin, end)` for each step and part of the hidden panels, on as many threads as pay; all parts
// of a step are done before the next starts.
using StepKernel = c10::function_ref<void(int64_t step, int64_t begin, int64_t end)>;
void run_steps(const RecurrentSizes& sizes, std::initializer_list<StepKernel> kernels, bool backward);

} // namespace ipex::ops
