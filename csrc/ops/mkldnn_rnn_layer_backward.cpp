// Gradients of one direction of one recurrent layer: those of the gates step by step, backwards, then with all steps
// together diff_input = d W_ih, diff_W_ih = d^T input, diff_W_hh = d_h^T h, diff_b = column sums. (d_h differs from d
// in the new gate of a GRU only, which is multiplied by r.)
//
//   schema  aten::mkldnn_rnn_layer_backward(Tensor input, Tensor weight1, Tensor weight2, Tensor weight3, Tensor
//           weight4, Tensor hx_, Tensor cx_tmp, Tensor output, Tensor hy_, Tensor cy_, Tensor? grad_output, Tensor?
//           grad_hy, Tensor? grad_cy, bool reverse, int mode, int hidden_size, int num_layers, bool has_biases, bool
//           train, bool bidirectional, int[] batch_sizes, bool batch_first, Tensor workspace) -> (Tensor, Tensor,
//           Tensor, Tensor, Tensor, Tensor, Tensor)
//   src     as the forward operator; output and workspace are its results; the gradients may be absent; f32
//   dst     gradients of input, weight1 to weight4, hx_ and cx_tmp, contiguous
//   else    CPU fallback: other dtypes, no elements, sizes that do not fit, no AVX2
//   errors  RuntimeError when sizes do not fit
//   source  Hochreiter and Schmidhuber, "Long short-term memory", 1997; Cho et al., 2014
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <cstring>

#include "aten/fallback.h"
#include "forms/operand.h"
#include "forms/storage.h"
#include "ops/kernels.h"
#include "ops/recurrent_call.h"

namespace ipex::ops {

namespace {

bool is_given(const std::optional<at::Tensor>& tensor) {
  return tensor && tensor->defined();
}

bool fits(const std::optional<at::Tensor>& tensor, int64_t elements) {
  return !is_given(tensor) ||
      (forms::readable(*tensor) && tensor->scalar_type() == at::kFloat && tensor->numel() == elements);
}

at::Tensor contiguous_or_zeros(const std::optional<at::Tensor>& tensor, at::IntArrayRef sizes, const at::Tensor& like) {
  return is_given(tensor) ? tensor->contiguous() : at::zeros(sizes, like.options());
}

const float* floats(const at::Tensor& tensor) {
  return static_cast<const float*>(read_bytes(tensor));
}

// The hidden state before each step, where the step lies in memory.
at::Tensor states_before(const at::Tensor& output, const at::Tensor& hx, const RecurrentSizes& sizes, bool reverse) {
  const auto result = forms::make_contiguous_result({sizes.steps * sizes.batch, sizes.hidden}, output.options());
  const auto state = static_cast<size_t>(sizes.batch * sizes.hidden), rest = state * (sizes.steps - 1);
  auto* to = static_cast<float*>(result.data);
  std::memcpy(to + (reverse ? rest : 0), floats(hx), state * sizeof(float));
  std::memcpy(to + (reverse ? 0 : state), floats(output) + (reverse ? state : 0), rest * sizeof(float));
  return result.tensor;
}

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> mkldnn_rnn_layer_backward(
    const at::Tensor& input,
    const at::Tensor& weight1,
    const at::Tensor& weight2,
    const at::Tensor& weight3,
    const at::Tensor& weight4,
    const at::Tensor& hx_,
    const at::Tensor& cx_tmp,
    const at::Tensor& output,
    const at::Tensor& hy_,
    const at::Tensor& cy_,
    const std::optional<at::Tensor>& grad_output,
    const std::optional<at::Tensor>& grad_hy,
    const std::optional<at::Tensor>& grad_cy,
    bool reverse,
    int64_t mode,
    int64_t hidden_size,
    int64_t num_layers,
    bool has_biases,
    bool train,
    bool bidirectional,
    at::IntArrayRef batch_sizes,
    bool batch_first,
    const at::Tensor& workspace) {
  if (!is_given(grad_output) && !is_given(grad_hy) && !is_given(grad_cy))
    return {};
  const auto sizes = batch_sizes.empty()
      ? recurrent_sizes({input, weight1, weight2, weight3, weight4, hx_, cx_tmp, mode, hidden_size, has_biases})
      : std::nullopt;
  const int64_t rows = sizes ? sizes->steps * sizes->batch : 0, state = sizes ? sizes->batch * hidden_size : 0;
  if (!sizes || !fits(output, rows * hidden_size) || !fits(workspace, rows * hidden_size * sizes->workspace) ||
      !fits(grad_output, rows * hidden_size) || !fits(grad_hy, state) || (mode == kLstm && !fits(grad_cy, state)))
    return fallback<at::_ops::mkldnn_rnn_layer_backward>(
        input,
        weight1,
        weight2,
        weight3,
        weight4,
        hx_,
        cx_tmp,
        output,
        hy_,
        cy_,
        grad_output,
        grad_hy,
        grad_cy,
        reverse,
        mode,
        hidden_size,
        num_layers,
        has_biases,
        train,
        bidirectional,
        batch_sizes,
        batch_first,
        workspace);

  const bool lstm = mode == kLstm, gru = mode == kGru;
  const int64_t width = sizes->gates * hidden_size;
  const auto weights = pack_transposed_hidden_weights(weight2, *sizes);
  const at::Tensor hx = hx_.contiguous(), cx = lstm ? cx_tmp.contiguous() : at::Tensor(), dst = output.contiguous();
  const at::Tensor diff_dst = contiguous_or_zeros(grad_output, output.sizes(), output);
  const at::Tensor diff_hy = contiguous_or_zeros(grad_hy, hx_.sizes(), output);
  const at::Tensor diff_cy = lstm ? contiguous_or_zeros(grad_cy, cx_tmp.sizes(), output) : at::Tensor();
  const auto make = [&](at::IntArrayRef shape) { return forms::make_contiguous_result(shape, input.options()); };
  const auto diff_gates = make({rows, width}), diff_hidden_gates = gru ? make({rows, width}) : diff_gates;
  const auto diff_hx = make(hx_.sizes());
  const auto diff_cx = lstm ? make(cx_tmp.sizes()) : forms::Result();
  const auto scratch = make({sizes->batch, (hidden_size + simd::kPanel - 1) / simd::kPanel * simd::kPanel});

  simd::RecurrentBackward spec{};
  spec.cell = sizes->cell;
  spec.reverse = reverse;
  spec.steps = sizes->steps;
  spec.batch = sizes->batch;
  spec.hidden = hidden_size;
  spec.weights = static_cast<const float*>(weights.data);
  spec.workspace = sizes->workspace != 0 ? floats(workspace) : nullptr;
  spec.dst = floats(dst);
  spec.hx = floats(hx);
  spec.cx = lstm ? floats(cx) : nullptr;
  spec.diff_dst = floats(diff_dst);
  spec.diff_hy = floats(diff_hy);
  spec.diff_cy = lstm ? floats(diff_cy) : nullptr;
  spec.diff_input_gates = static_cast<float*>(diff_gates.data);
  spec.diff_hidden_gates = gru ? static_cast<float*>(diff_hidden_gates.data) : nullptr;
  spec.diff_hx = static_cast<float*>(diff_hx.data);
  spec.diff_cx = static_cast<float*>(diff_cx.data);
  spec.state = static_cast<float*>(scratch.data);
  const simd::Kernels& kernels = *simd_kernels();
  run_steps(
      *sizes,
      {[&](int64_t step, int64_t begin, int64_t end) { kernels.recurrent_backward_gates(spec, step, begin, end); },
       [&](int64_t step, int64_t begin, int64_t end) { kernels.recurrent_backward_state(spec, step, begin, end); }},
      /*backward=*/true);

  const at::Tensor diff_src = at::mm(diff_gates.tensor, weight1).view(input.sizes());
  const at::Tensor diff_weight1 = at::mm(diff_gates.tensor.t(), input.reshape({rows, sizes->size}));
  const at::Tensor diff_weight2 = at::mm(diff_hidden_gates.tensor.t(), states_before(dst, hx, *sizes, reverse));
  const auto diff_bias = [&](const forms::Result& gates) {
    const auto result = make({width});
    kernels.sum_rows(static_cast<const float*>(gates.data), rows, width, static_cast<float*>(result.data));
    return result.tensor;
  };
  return {
      diff_src,
      diff_weight1,
      diff_weight2,
      has_biases ? diff_bias(diff_gates) : at::Tensor(),
      has_biases ? diff_bias(diff_hidden_gates) : at::Tensor(),
      diff_hx.tensor,
      diff_cx.tensor};
}

} // namespace ipex::ops
