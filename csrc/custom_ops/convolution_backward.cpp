// convolution_backward(grad_output, input, weight): the gradients of input, weight and bias as at::convolution_backward, those
// that output_mask wants
//
//   grad_output, input  [N, C, ...], one dtype of at::convolution, native in f32 and bf16
//   weight              as in convolution.cpp
//   result              all in the dtype of grad_output; that of input in the format of the convolution's result, that of
//                       weight in the format of weight, so that autograd keeps it as it is
#include <ATen/ATen.h>
#include <torch/library.h>

#include "custom_ops/call.h"
#include "custom_ops/convolution.h"
#include "custom_ops/gradients.h"

namespace ipex::custom_ops {

namespace {

using Gradients = Backward::Result;

Gradients gradients(const Backward& arguments) {
  const auto& [grad, input, weight, geometry, mask] = arguments;
  const auto& [stride, padding, dilation, transposed, output_padding, groups] = geometry;
  const c10::SymInt bias_size = grad.sym_size(1);
  return at::convolution_backward_symint(
      grad,
      input,
      weight.to(weight_dtype(weight, input)),
      SymInts(bias_size),
      stride,
      padding,
      dilation,
      transposed,
      output_padding,
      groups,
      mask);
}

Gradients convolution_backward(const Backward& arguments) {
  const auto& [grad, input, weight, geometry, mask] = arguments;
  const Call call(Backward::kName, {grad, input, weight});
  auto [diff_src, diff_weights, diff_bias] =
      gradients({call.read(grad), call.read(input), call.read(weight), geometry, mask});
  const auto result = [&](bool wanted, at::Tensor& made, at::MemoryFormat format) {
    return wanted ? call.result(std::move(made), format) : at::Tensor();
  };
  return {
      result(mask[0], diff_src, format_of(input, weight)),
      result(mask[1], diff_weights, weight.suggest_memory_format()),
      result(mask[2], diff_bias, at::MemoryFormat::Contiguous)};
}

Gradients convolution_backward_meta(const Backward& arguments) {
  const auto& [grad, input, weight, geometry, mask] = arguments;
  const auto options = grad.options();
  return {
      mask[0] ? at::empty_symint(input.sym_sizes(), options, format_of(input, weight)) : at::Tensor(),
      mask[1] ? at::empty_symint(weight.sym_sizes(), options, weight.suggest_memory_format()) : at::Tensor(),
      mask[2] ? at::empty_symint({grad.sym_size(1)}, options) : at::Tensor()};
}

// Gradients of gradients are PyTorch's.
Gradients convolution_backward_autograd(c10::DispatchKeySet keys, const Backward& arguments) {
  if (needs_gradients({&arguments.grad, &arguments.input, &arguments.weight}))
    return gradients(arguments);
  return Operator<Backward>::call(arguments, keys & c10::after_autograd_keyset);
}

} // namespace

IPEX_IMPLEMENT_BELOW_AUTOCAST(
    "convolution_backward",
    Operator<Backward>::kernel<convolution_backward>,
    Operator<Backward>::kernel<convolution_backward_meta>,
    Operator<Backward>::kernel_with_keys<convolution_backward_autograd>)

} // namespace ipex::custom_ops
