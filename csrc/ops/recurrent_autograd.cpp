// The autograd function of recurrent layers: our backward operator, or the same layer cell by cell when the gradient
// itself will be differentiated.
#include "ops/recurrent_autograd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace ipex::ops {

namespace {

using torch::autograd::variable_list;

// Positions in the list of saved tensors; the first seven are the differentiable arguments.
enum : size_t { kInput, kWeightIh, kWeightHh, kBiasIh, kBiasHh, kHx, kCx, kOutput, kHy, kCy, kWorkspace };
constexpr size_t kArguments = kOutput;

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> forward(const RecurrentArguments& arguments, bool reverse) {
  return at::mkldnn_rnn_layer(
      arguments.input,
      arguments.weight_ih,
      arguments.weight_hh,
      arguments.bias_ih,
      arguments.bias_hh,
      arguments.hx,
      arguments.cx,
      reverse,
      /*batch_sizes=*/{},
      arguments.mode,
      arguments.hidden,
      /*num_layers=*/1,
      arguments.has_biases,
      /*bidirectional=*/false,
      /*batch_first=*/false,
      /*train=*/false);
}

// The layer again, cell by cell, and its gradients with a graph of their own.
variable_list differentiable_backward(
    const variable_list& saved,
    const variable_list& gradients,
    bool reverse,
    int64_t mode,
    bool has_biases) {
  const at::Tensor& input = saved[kInput];
  at::Tensor h = saved[kHx], c = mode == kLstm ? saved[kCx] : at::Tensor();
  const at::Tensor bias_ih = has_biases ? saved[kBiasIh] : at::Tensor(),
                   bias_hh = has_biases ? saved[kBiasHh] : at::Tensor();
  const int64_t steps = input.size(0);
  variable_list outputs(static_cast<size_t>(steps));
  for (int64_t i = 0; i < steps; ++i) {
    const int64_t time = reverse ? steps - 1 - i : i;
    const at::Tensor x = input[time];
    if (mode == kLstm)
      std::tie(h, c) = at::lstm_cell(x, {h, c}, saved[kWeightIh], saved[kWeightHh], bias_ih, bias_hh);
    else if (mode == kGru)
      h = at::gru_cell(x, h, saved[kWeightIh], saved[kWeightHh], bias_ih, bias_hh);
    else if (mode == kRnnTanh)
      h = at::rnn_tanh_cell(x, h, saved[kWeightIh], saved[kWeightHh], bias_ih, bias_hh);
    else
      h = at::rnn_relu_cell(x, h, saved[kWeightIh], saved[kWeightHh], bias_ih, bias_hh);
    outputs[static_cast<size_t>(time)] = h;
  }
  variable_list results{at::stack(outputs), h, c}, used, used_gradients, inputs;
  for (size_t i = 0; i < results.size(); ++i)
    if (gradients[i].defined() && results[i].defined()) {
      used.push_back(results[i]);
      used_gradients.push_back(gradients[i]);
    }
  for (size_t i = 0; i < kArguments; ++i)
    if (saved[i].requires_grad())
      inputs.push_back(saved[i]);
  const auto found = torch::autograd::grad(
      used, inputs, used_gradients, /*retain_graph=*/true, /*create_graph=*/true, /*allow_unused=*/true);
  variable_list all(kArguments);
  for (size_t i = 0, next = 0; i < kArguments; ++i)
    if (saved[i].requires_grad())
      all[i] = found[next++];
  return all;
}

struct Layer : torch::autograd::Function<Layer> {
  static variable_list forward(
      torch::autograd::AutogradContext* context,
      const at::Tensor& input,
      const at::Tensor& weight_ih,
      const at::Tensor& weight_hh,
      const at::Tensor& bias_ih,
      const at::Tensor& bias_hh,
      const at::Tensor& hx,
      const at::Tensor& cx,
      int64_t mode,
      int64_t hidden,
      bool has_biases,
      bool reverse) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const at::AutoGradMode keeps_workspace(true);
    const auto [output, hy, cy, workspace] =
        ops::forward({input, weight_ih, weight_hh, bias_ih, bias_hh, hx, cx, mode, hidden, has_biases}, reverse);
    context->save_for_backward({input, weight_ih, weight_hh, bias_ih, bias_hh, hx, cx, output, hy, cy, workspace});
    context->saved_data["mode"] = mode;
    context->saved_data["hidden"] = hidden;
    context->saved_data["has_biases"] = has_biases;
    context->saved_data["reverse"] = reverse;
    if (mode != kLstm)
      context->mark_non_differentiable({cy});
    context->set_materialize_grads(false);
    return {output, hy, cy};
  }

  static variable_list backward(torch::autograd::AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const bool has_biases = context->saved_data["has_biases"].toBool(),
               reverse = context->saved_data["reverse"].toBool();
    const int64_t mode = context->saved_data["mode"].toInt(), hidden = context->saved_data["hidden"].toInt();
    variable_list result;
    if (at::GradMode::is_enabled()) {
      result = differentiable_backward(saved, gradients, reverse, mode, has_biases);
    } else {
      const auto [input, weight_ih, weight_hh, bias_ih, bias_hh, hx, cx] = at::mkldnn_rnn_layer_backward(
          saved[kInput],
          saved[kWeightIh],
          saved[kWeightHh],
          saved[kBiasIh],
          saved[kBiasHh],
          saved[kHx],
          saved[kCx],
          saved[kOutput],
          saved[kHy],
          saved[kCy],
          gradients[0],
          gradients[1],
          gradients[2],
          reverse,
          mode,
          hidden,
          /*num_layers=*/1,
          has_biases,
          /*train=*/false,
          /*bidirectional=*/false,
          /*batch_sizes=*/{},
          /*batch_first=*/false,
          saved[kWorkspace]);
      result = {input, weight_ih, weight_hh, bias_ih, bias_hh, hx, cx};
    }
    result.resize(kArguments + 4); // mode, hidden, has_biases, reverse
    return result;
  }
};

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> recurrent_layer(const RecurrentArguments& arguments, bool reverse) {
  const auto differentiable = [&] {
    for (const at::Tensor& tensor :
         {arguments.input,
          arguments.weight_ih,
          arguments.weight_hh,
          arguments.bias_ih,
          arguments.bias_hh,
          arguments.hx,
          arguments.cx})
      if (tensor.requires_grad())
        return true;
    return false;
  };
  if (at::GradMode::is_enabled() && differentiable()) {
    const auto result = Layer::apply(
        arguments.input,
        arguments.weight_ih,
        arguments.weight_hh,
        arguments.bias_ih,
        arguments.bias_hh,
        arguments.hx,
        arguments.cx,
        arguments.mode,
        arguments.hidden,
        arguments.has_biases,
        reverse);
    return {result[0], result[1], result[2]};
  }
  const at::NoGradGuard no_workspace;
  const auto [output, hy, cy, workspace] = forward(arguments, reverse);
  return {output, hy, cy};
}

} // namespace ipex::ops
