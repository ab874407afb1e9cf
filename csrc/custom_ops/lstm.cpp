// lstm(input, hx, params), as aten::lstm.input.
//
//   input, hx, params  as at::lstm; native in f32 and bf16; params may be f32 that is rounded to the dtype of input; weights
//                      may have copies that are kept (resident.h)
//   result             output, hidden state and cell state, contiguous
//   gradients          PyTorch's CPU kernels
#include <ATen/ATen.h>
#include <torch/library.h>

#include "core/check.h"
#include "custom_ops/call.h"
#include "custom_ops/gradients.h"

namespace ipex::custom_ops {

namespace {

using Result = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

constexpr const char* kName = "torch_ipex::lstm";

Result contiguous(const Result& result) {
  const auto& [output, hidden, cell] = result;
  return {output.contiguous(), hidden.contiguous(), cell.contiguous()};
}

void check_states(at::TensorList hx, at::TensorList params) {
  IPEX_CHECK(
      hx.size() == 2 && !params.empty(),
      E103,
      kName,
      "got ",
      hx.size(),
      " tensors as hx and ",
      params.size(),
      " as params; accepted: hx of hidden and cell state, and the weights");
}

at::Tensor like(const at::Tensor& param, const at::Tensor& input) {
  return param.to(weight_dtype(param, input));
}

Result lstm(
    const at::Tensor& input,
    at::TensorList hx,
    at::TensorList params,
    bool has_biases,
    int64_t num_layers,
    double dropout,
    bool train,
    bool bidirectional,
    bool batch_first) {
  check_states(hx, params);
  std::vector<at::Tensor> all{input};
  all.insert(all.end(), hx.begin(), hx.end());
  all.insert(all.end(), params.begin(), params.end());
  const Call call(kName, all);
  std::vector<at::Tensor> states, weights;
  for (const at::Tensor& state : hx)
    states.push_back(call.read(state));
  for (const at::Tensor& param : params)
    weights.push_back(param.dim() == 2 ? call.weight(param, input) : like(call.read(param), input));
  auto [output, hidden, cell] = contiguous(
      at::lstm(call.read(input), states, weights, has_biases, num_layers, dropout, train, bidirectional, batch_first));
  return {call.result(std::move(output)), call.result(std::move(hidden)), call.result(std::move(cell))};
}

Result lstm_meta(
    const at::Tensor& input,
    at::TensorList hx,
    at::TensorList params,
    bool,
    int64_t,
    double,
    bool,
    bool bidirectional,
    bool) {
  check_states(hx, params);
  auto sizes = input.sym_sizes().vec();
  sizes.back() = hx.at(0).sym_size(-1) * (bidirectional ? 2 : 1);
  const auto& options = input.options();
  return {
      at::empty_symint(sizes, options),
      at::empty_symint(hx.at(0).sym_sizes(), options),
      at::empty_symint(hx.at(1).sym_sizes(), options)};
}

Result lstm_autograd(
    c10::DispatchKeySet keys,
    const at::Tensor& input,
    at::TensorList hx,
    at::TensorList params,
    bool has_biases,
    int64_t num_layers,
    double dropout,
    bool train,
    bool bidirectional,
    bool batch_first) {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(kName, "").typed<decltype(lstm)>();
  const auto records = [](const at::Tensor& tensor) {
    return (at::GradMode::is_enabled() && tensor.requires_grad()) || has_tangent(tensor);
  };
  if ((records(input) || std::any_of(hx.begin(), hx.end(), records) ||
       std::any_of(params.begin(), params.end(), records))) {
    std::vector<at::Tensor> weights;
    for (const at::Tensor& param : params)
      weights.push_back(like(param, input));
    return contiguous(at::lstm(input, hx, weights, has_biases, num_layers, dropout, train, bidirectional, batch_first));
  }
  return op.redispatch(
      keys & c10::after_autograd_keyset,
      input,
      hx,
      params,
      has_biases,
      num_layers,
      dropout,
      train,
      bidirectional,
      batch_first);
}

Result lstm_autocast(
    const at::Tensor& input,
    at::TensorList hx,
    at::TensorList params,
    bool has_biases,
    int64_t num_layers,
    double dropout,
    bool train,
    bool bidirectional,
    bool batch_first) {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(kName, "").typed<decltype(lstm)>();
  const Lowered lowered(input);
  return op.call(
      lowered(input), lowered(hx), params, has_biases, num_layers, dropout, train, bidirectional, batch_first);
}

} // namespace

IPEX_IMPLEMENT("lstm", lstm, lstm_meta, lstm_autograd, lstm_autocast)

} // namespace ipex::custom_ops
