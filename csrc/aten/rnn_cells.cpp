// The fused LSTM and GRU cells that at::lstm and at::gru call on PrivateUse1 and that the CPU does not have.
//
// Gate order and saved workspace are PyTorch's (ATen RNN.cpp): LSTM i, f, g, o; GRU r, z, n. Gates come in as the
// products with the input and with the hidden state; biases are added here.
#include <ATen/ATen.h>
#include <torch/library.h>

namespace ipex {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

Tensor with_bias(const Tensor& gates, const OptionalTensor& bias) {
  return bias && bias->defined() ? gates + *bias : gates;
}

// c' = f * c + i * g,  h' = o * tanh(c');  workspace: activated i, f, g, o.
std::tuple<Tensor, Tensor, Tensor> lstm_cell(
    const Tensor& input_gates,
    const Tensor& hidden_gates,
    const Tensor& cx,
    const OptionalTensor& input_bias,
    const OptionalTensor& hidden_bias) {
  const Tensor gates = with_bias(input_gates, input_bias) + with_bias(hidden_gates, hidden_bias);
  const auto chunks = gates.unsafe_chunk(4, 1);
  const Tensor i = chunks[0].sigmoid(), f = chunks[1].sigmoid(), g = chunks[2].tanh(), o = chunks[3].sigmoid();
  Tensor cy = f * cx + i * g;
  Tensor hy = o * cy.tanh();
  return {hy, cy, at::cat({i, f, g, o}, 1)};
}

std::tuple<Tensor, Tensor, Tensor> lstm_cell_backward(
    const OptionalTensor& grad_hy,
    const OptionalTensor& grad_cy,
    const Tensor& cx,
    const Tensor& cy,
    const Tensor& workspace,
    bool has_bias) {
  const bool has_hy = grad_hy && grad_hy->defined(), has_cy = grad_cy && grad_cy->defined();
  if (!has_hy && !has_cy)
    return {};
  const auto chunks = workspace.unsafe_chunk(4, 1);
  const Tensor &i = chunks[0], &f = chunks[1], &g = chunks[2], &o = chunks[3];
  const Tensor tanh_cy = cy.tanh();
  const Tensor grad_h = has_hy ? *grad_hy : at::zeros_like(cy);
  Tensor grad_c = grad_h * o * (1 - tanh_cy * tanh_cy);
  if (has_cy)
    grad_c = grad_c + *grad_cy;
  const Tensor grad_gates = at::cat(
      {grad_c * g * i * (1 - i), grad_c * cx * f * (1 - f), grad_c * i * (1 - g * g), grad_h * tanh_cy * o * (1 - o)},
      1);
  return {grad_gates, grad_c * f, has_bias ? grad_gates.sum(0) : Tensor()};
}

// h' = n + z * (h - n) with n = tanh(x_n + r * h_n);  workspace: r, z, n, h, h_n.
std::tuple<Tensor, Tensor> gru_cell(
    const Tensor& input_gates,
    const Tensor& hidden_gates,
    const Tensor& hx,
    const OptionalTensor& input_bias,
    const OptionalTensor& hidden_bias) {
  const auto x = with_bias(input_gates, input_bias).unsafe_chunk(3, 1);
  const auto h = with_bias(hidden_gates, hidden_bias).unsafe_chunk(3, 1);
  const Tensor r = (x[0] + h[0]).sigmoid(), z = (x[1] + h[1]).sigmoid(), n = (x[2] + r * h[2]).tanh();
  return {n + z * (hx - n), at::cat({r, z, n, hx, h[2]}, 1)};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> gru_cell_backward(
    const Tensor& grad_hy,
    const Tensor& workspace,
    bool has_bias) {
  const auto chunks = workspace.unsafe_chunk(5, 1);
  const Tensor &r = chunks[0], &z = chunks[1], &n = chunks[2], &hx = chunks[3], &hn = chunks[4];
  const Tensor grad_n = grad_hy * (1 - z) * (1 - n * n);
  const Tensor grad_z = grad_hy * (hx - n) * z * (1 - z);
  const Tensor grad_r = grad_n * hn * r * (1 - r);
  const Tensor grad_input = at::cat({grad_r, grad_z, grad_n}, 1);
  const Tensor grad_hidden = at::cat({grad_r, grad_z, grad_n * r}, 1);
  return {
      grad_input,
      grad_hidden,
      grad_hy * z,
      has_bias ? grad_input.sum(0) : Tensor(),
      has_bias ? grad_hidden.sum(0) : Tensor()};
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_thnn_fused_gru_cell", TORCH_FN(gru_cell));
  m.impl("_thnn_fused_gru_cell_backward", TORCH_FN(gru_cell_backward));
  m.impl("_thnn_fused_lstm_cell", TORCH_FN(lstm_cell));
  m.impl("_thnn_fused_lstm_cell_backward_impl", TORCH_FN(lstm_cell_backward));
}

} // namespace

} // namespace ipex
