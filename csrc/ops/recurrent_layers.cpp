// at::lstm, at::gru and at::rnn as one mkldnn_rnn_layer per layer and direction, which has kernels and derivatives.
//
// PyTorch's own composite of these operators takes that path for an LSTM on CPU tensors only, and cells step by step
// everywhere else; it still serves what our layers do not: projections, packed sequences, other dtypes, autocast.
#include <ATen/ATen.h>
#include <ATen/NativeFunctions.h>
#include <ATen/autocast_mode.h>
#include <torch/library.h>

#include "aten/stats.h"
#include "ops/recurrent_autograd.h"
#include "ops/recurrent_call.h"

namespace ipex::ops {

namespace {

struct Layers {
  at::TensorList params;
  bool has_biases;
  int64_t count;
  double dropout;
  bool train;
  bool bidirectional;
  bool batch_first;
};

// Tensors of torch.func.grad count as others: they cannot pass through a C++ autograd function.
bool is_float(const at::Tensor& tensor) {
  return tensor.defined() && !tensor.key_set().has(c10::DispatchKey::FuncTorchGradWrapper) &&
      tensor.device().type() == c10::DeviceType::PrivateUse1 && tensor.scalar_type() == at::kFloat &&
      tensor.layout() == at::kStrided;
}

// Whether every layer will find a kernel; everything else, errors included, is for PyTorch's own code.
bool serves(const at::Tensor& input, at::TensorList states, const Layers& layers, int64_t gates) {
  const int64_t directions = layers.bidirectional ? 2 : 1, per_layer = layers.has_biases ? 4 : 2;
  if (input.unsafeGetTensorImpl()->has_symbolic_sizes_strides() || simd_kernels() == nullptr || !native_enabled() ||
      at::autocast::is_autocast_enabled(at::kPrivateUse1) || !is_float(input) || input.dim() != 3 ||
      input.numel() == 0 || layers.count < 1 ||
      static_cast<int64_t>(layers.params.size()) != layers.count * directions * per_layer)
    return false;
  const int64_t batch = input.size(layers.batch_first ? 0 : 1), hidden = states[0].dim() == 3 ? states[0].size(2) : 0;
  if (hidden < 1)
    return false;
  for (const at::Tensor& state : states)
    if (!is_float(state) || state.sizes() != at::IntArrayRef{layers.count * directions, batch, hidden})
      return false;
  for (int64_t i = 0; i < static_cast<int64_t>(layers.params.size()); i += per_layer) {
    const int64_t size = i < directions * per_layer ? input.size(2) : directions * hidden, rows = gates * hidden;
    const auto fits = [&](int64_t offset, at::IntArrayRef sizes) {
      return is_float(layers.params[i + offset]) && layers.params[i + offset].sizes() == sizes;
    };
    if (!fits(0, {rows, size}) || !fits(1, {rows, hidden}) ||
        (layers.has_biases && (!fits(2, {rows}) || !fits(3, {rows}))))
      return false;
  }
  return true;
}

// Output, last hidden states and, for an LSTM, last cell states of all layers and directions.
std::tuple<at::Tensor, at::Tensor, at::Tensor> run(
    const at::Tensor& input,
    at::TensorList states,
    const Layers& layers,
    int64_t mode) {
  const int64_t directions = layers.bidirectional ? 2 : 1, per_layer = layers.has_biases ? 4 : 2,
                hidden = states[0].size(2);
  at::Tensor x = layers.batch_first ? input.transpose(0, 1) : input;
  const at::Tensor none = at::empty({0}, input.options());
  std::vector<at::Tensor> hy, cy;
  for (int64_t layer = 0; layer < layers.count; ++layer) {
    std::vector<at::Tensor> outputs;
    for (int64_t direction = 0; direction < directions; ++direction) {
      const int64_t index = layer * directions + direction;
      const at::TensorList params = layers.params.slice(index * per_layer, per_layer);
      const RecurrentArguments arguments{
          x,
          params[0],
          params[1],
          layers.has_biases ? params[2] : none,
          layers.has_biases ? params[3] : none,
          states[0][index],
          mode == kLstm ? states[1][index] : none,
          mode,
          hidden,
          layers.has_biases};
      const auto [output, h, c] = recurrent_layer(arguments, /*reverse=*/direction == 1);
      outputs.push_back(output);
      hy.push_back(h);
      cy.push_back(c);
    }
    x = directions == 1 ? outputs[0] : at::cat(outputs, -1);
    if (layers.dropout != 0 && layers.train && layer + 1 < layers.count)
      x = at::dropout(x, layers.dropout, /*train=*/true);
  }
  return {
      layers.batch_first ? x.transpose(0, 1) : x, at::stack(hy, 0), mode == kLstm ? at::stack(cy, 0) : at::Tensor()};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> lstm(
    const at::Tensor& input,
    at::TensorList hx,
    at::TensorList params,
    bool has_biases,
    int64_t num_layers,
    double dropout,
    bool train,
    bool bidirectional,
    bool batch_first) {
  const Layers layers{params, has_biases, num_layers, dropout, train, bidirectional, batch_first};
  if (hx.size() == 2 && serves(input, hx, layers, 4))
    return run(input, hx, layers, kLstm);
  return at::native::lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first);
}

using OneState = std::tuple<at::Tensor, at::Tensor>(
    const at::Tensor&,
    const at::Tensor&,
    at::TensorList,
    bool,
    int64_t,
    double,
    bool,
    bool,
    bool);

template <int64_t kMode, OneState* composite>
std::tuple<at::Tensor, at::Tensor> one_state(
    const at::Tensor& input,
    const at::Tensor& hx,
    at::TensorList params,
    bool has_biases,
    int64_t num_layers,
    double dropout,
    bool train,
    bool bidirectional,
    bool batch_first) {
  const Layers layers{params, has_biases, num_layers, dropout, train, bidirectional, batch_first};
  if (!serves(input, hx, layers, kMode == kGru ? 3 : 1))
    return composite(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first);
  auto [output, hy, cy] = run(input, hx, layers, kMode);
  return {output, hy};
}

void implement(torch::Library& library) {
  library.impl("lstm.input", TORCH_FN(lstm));
  library.impl("gru.input", TORCH_FN((one_state<kGru, &at::native::gru>)));
  library.impl("rnn_tanh.input", TORCH_FN((one_state<kRnnTanh, &at::native::rnn_tanh>)));
  library.impl("rnn_relu.input", TORCH_FN((one_state<kRnnRelu, &at::native::rnn_relu>)));
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  implement(library);
}

TORCH_LIBRARY_IMPL(aten, AutogradPrivateUse1, library) {
  implement(library);
}

} // namespace

} // namespace ipex::ops
