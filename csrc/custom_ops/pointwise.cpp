// gelu(input) and layer_norm(input), as PyTorch's of these names.
//
//   input   any shape; any dtype of the operators of at, native in f32 and bf16
//   result  gelu: as at::gelu; layer_norm: contiguous
//   gradients  PyTorch's CPU kernels
#include <ATen/ATen.h>
#include <torch/library.h>

#include "custom_ops/call.h"
#include "custom_ops/gradients.h"

namespace ipex::custom_ops {

namespace {

using OptionalTensor = std::optional<at::Tensor>;

at::Tensor gelu(const at::Tensor& input, std::string_view approximate) {
  const Call call("torch_ipex::gelu", {input});
  return call.result(at::gelu(call.read(input), approximate));
}

at::Tensor gelu_meta(const at::Tensor& input, std::string_view approximate) {
  return at::gelu(input, approximate);
}

at::Tensor gelu_autograd(c10::DispatchKeySet keys, const at::Tensor& input, std::string_view approximate) {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("torch_ipex::gelu", "").typed<decltype(gelu)>();
  return needs_gradients({&input}) || has_tangent(input)
      ? at::gelu(input, approximate)
      : op.redispatch(keys & c10::after_autograd_keyset, input, approximate);
}

at::Tensor layer_norm(
    const at::Tensor& input,
    c10::SymIntArrayRef shape,
    const OptionalTensor& weight,
    const OptionalTensor& bias,
    double eps) {
  const Call call("torch_ipex::layer_norm", {input, defined(weight), defined(bias)});
  return call.result(
      at::layer_norm_symint(call.read(input), shape, call.read(weight), call.read(bias), eps),
      at::MemoryFormat::Contiguous);
}

at::Tensor layer_norm_meta(
    const at::Tensor& input,
    c10::SymIntArrayRef shape,
    const OptionalTensor& weight,
    const OptionalTensor& bias,
    double eps) {
  return at::empty_symint(at::layer_norm_symint(input, shape, weight, bias, eps).sym_sizes(), input.options());
}

at::Tensor layer_norm_autograd(
    c10::DispatchKeySet keys,
    const at::Tensor& input,
    c10::SymIntArrayRef shape,
    const OptionalTensor& weight,
    const OptionalTensor& bias,
    double eps) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("torch_ipex::layer_norm", "").typed<decltype(layer_norm)>();
  return needs_gradients({&input}, {&weight, &bias}) || has_tangent(input) || has_tangent(weight) || has_tangent(bias)
      ? at::layer_norm_symint(input, shape, weight, bias, eps).contiguous()
      : op.redispatch(keys & c10::after_autograd_keyset, input, shape, weight, bias, eps);
}

// On ipex autocast computes it in float32, as on every accelerator; on CPU it leaves it alone.
at::Tensor layer_norm_autocast(
    const at::Tensor& input,
    c10::SymIntArrayRef shape,
    const OptionalTensor& weight,
    const OptionalTensor& bias,
    double eps) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("torch_ipex::layer_norm", "").typed<decltype(layer_norm)>();
  const c10::impl::ExcludeDispatchKeyGuard guard(c10::autocast_dispatch_keyset);
  const auto widened = [](const at::Tensor& tensor) {
    return tensor.defined() ? at::autocast::cached_cast(at::kFloat, tensor, tensor.device().type()) : tensor;
  };
  return op.call(widened(input), shape, widened(defined(weight)), widened(defined(bias)), eps);
}

} // namespace

IPEX_IMPLEMENT_BELOW_AUTOCAST("gelu", gelu, gelu_meta, gelu_autograd)
IPEX_IMPLEMENT_BELOW_AUTOCAST("layer_norm", layer_norm, layer_norm_meta, layer_norm_autograd)

TORCH_LIBRARY_IMPL(torch_ipex, AutocastPrivateUse1, library) {
  library.impl("layer_norm", TORCH_FN(layer_norm_autocast));
}

} // namespace ipex::custom_ops
