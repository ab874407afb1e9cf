// One direction of one layer of an LSTM, GRU or plain recurrent network over all time steps. With the products
// x = input_t W_ih^T + b_ih and y = h W_hh^T + b_hh, split into gates:
// LSTM: i, f, o = sigmoid(x + y), g = tanh(x + y), c = f c + i g, h = o tanh(c);
// GRU: r, z = sigmoid(x + y), n = tanh(x_n + r y_n), h = n + z (h - n); plain: h = tanh or relu of x + y.
//
//   schema  aten::mkldnn_rnn_layer(Tensor input, Tensor weight0, Tensor weight1, Tensor weight2, Tensor weight3, Tensor
//           hx_, Tensor cx_, bool reverse, int[] batch_sizes, int mode, int hidden_size, int num_layers, bool
//           has_biases, bool bidirectional, bool batch_first, bool train) -> (Tensor, Tensor, Tensor, Tensor)
//   src     [T, B, I], any strides; f32
//   weights weight0 [G H, I], weight1 [G H, H], biases weight2 and weight3 [G H], kept packed on the storage
//   state   hx_ and, for LSTM, cx_ [B, H]; mode 0 relu, 1 tanh, 2 LSTM, 3 GRU
//   dst     [T, B, H] contiguous, the last h and c with the sizes of hx_ and cx_, a workspace when gradients are on
//   else    CPU fallback: other dtypes, no elements, sizes that do not fit, no AVX2
//   errors  RuntimeError when sizes do not fit
//   source  Hochreiter and Schmidhuber, "Long short-term memory", 1997; Cho et al., 2014
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>

#include <cstring>

#include "aten/fallback.h"
#include "forms/operand.h"
#include "forms/storage.h"
#include "ops/kernels.h"
#include "ops/recurrent_call.h"

namespace ipex::ops {

namespace {

// What the product with the inputs adds: both biases, but for the new gate of a GRU, whose hidden bias comes later.
at::Tensor input_bias(const RecurrentArguments& arguments, const RecurrentSizes& sizes) {
  if (!arguments.has_biases)
    return {};
  const at::Tensor first = arguments.bias_ih.contiguous(), second = arguments.bias_hh.contiguous();
  const auto result = forms::make_contiguous_result(first.sizes(), first.options());
  const auto* a = static_cast<const float*>(read_bytes(first));
  const auto* b = static_cast<const float*>(read_bytes(second));
  auto* sum = static_cast<float*>(result.data);
  const int64_t both = sizes.cell == simd::Cell::gru ? 2 * sizes.hidden : first.numel();
  for (int64_t i = 0; i < first.numel(); ++i)
    sum[i] = i < both ? a[i] + b[i] : a[i];
  return result.tensor;
}

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> mkldnn_rnn_layer(
    const at::Tensor& input,
    const at::Tensor& weight0,
    const at::Tensor& weight1,
    const at::Tensor& weight2,
    const at::Tensor& weight3,
    const at::Tensor& hx_,
    const at::Tensor& cx_,
    bool reverse,
    at::IntArrayRef batch_sizes,
    int64_t mode,
    int64_t hidden_size,
    int64_t num_layers,
    bool has_biases,
    bool bidirectional,
    bool batch_first,
    bool train) {
  const RecurrentArguments arguments{
      input, weight0, weight1, weight2, weight3, hx_, cx_, mode, hidden_size, has_biases};
  const auto sizes = batch_sizes.empty() ? recurrent_sizes(arguments) : std::nullopt;
  if (!sizes)
    return fallback<at::_ops::mkldnn_rnn_layer>(
        input,
        weight0,
        weight1,
        weight2,
        weight3,
        hx_,
        cx_,
        reverse,
        batch_sizes,
        mode,
        hidden_size,
        num_layers,
        has_biases,
        bidirectional,
        batch_first,
        train);

  const bool lstm = mode == kLstm;
  const at::Tensor gates = at::linear(input, weight0, input_bias(arguments, *sizes));
  const auto weights = pack_hidden_weights(weight1, *sizes);
  const at::Tensor hx = hx_.contiguous(), cx = lstm ? cx_.contiguous() : at::Tensor();
  const at::Tensor hidden_bias = has_biases && mode == kGru ? weight3.contiguous() : at::Tensor();
  const auto make = [&](at::IntArrayRef shape) { return forms::make_contiguous_result(shape, input.options()); };
  const auto dst = make({sizes->steps, sizes->batch, hidden_size});
  const auto hy = make(hx_.sizes()), cy = make(lstm ? cx_.sizes() : at::IntArrayRef{0});
  forms::Result workspace;
  if (at::GradMode::is_enabled())
    workspace = make({sizes->steps, sizes->batch, sizes->workspace * hidden_size});
  const int64_t padded = (hidden_size + simd::kPanel - 1) / simd::kPanel * simd::kPanel;
  const auto scratch = make({sizes->batch, sizes->gates * padded});

  simd::Recurrent spec{};
  spec.cell = sizes->cell;
  spec.reverse = reverse;
  spec.steps = sizes->steps;
  spec.batch = sizes->batch;
  spec.hidden = hidden_size;
  spec.weights = static_cast<const float*>(weights.data);
  spec.input_gates = static_cast<const float*>(read_bytes(gates));
  spec.hidden_bias =
      hidden_bias.defined() ? static_cast<const float*>(read_bytes(hidden_bias)) + 2 * hidden_size : nullptr;
  spec.hx = static_cast<const float*>(read_bytes(hx));
  spec.cx = lstm ? static_cast<const float*>(read_bytes(cx)) : nullptr;
  spec.dst = static_cast<float*>(dst.data);
  spec.cy = static_cast<float*>(cy.data);
  spec.workspace = sizes->workspace != 0 ? static_cast<float*>(workspace.data) : nullptr;
  spec.gates = static_cast<float*>(scratch.data);
  const auto step = [&](int64_t index, int64_t begin, int64_t end) {
    simd_kernels()->recurrent_step(spec, index, begin, end);
  };
  run_steps(*sizes, {step}, /*backward=*/false);
  const int64_t state = sizes->batch * hidden_size;
  std::memcpy(hy.data, spec.dst + (reverse ? 0 : sizes->steps - 1) * state, static_cast<size_t>(state) * sizeof(float));
  return {dst.tensor, hy.tensor, cy.tensor, workspace.tensor};
}

} // namespace ipex::ops
