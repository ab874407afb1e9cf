// product(left, right, bias)[m, n] = bias[n] + sum over k of left[m, k] * right[k, n], of matrices that change: gradients,
// activations, weights in training. On CPU tensors no copy of them is kept, on ipex tensors one of `right` from its second
// use between two writes on, as at::mm has it.
//
//   left       [M, K], any strides; any dtype of at::mm, native in f32 and bf16
//   right      [K, N], same dtype
//   bias       [N], same dtype
//   result     [M, N], contiguous
//   gradients  those of at::mm and at::addmm
#include <ATen/ATen.h>
#include <torch/library.h>

#include "custom_ops/call.h"
#include "custom_ops/gradients.h"

namespace ipex::custom_ops {

namespace {

using OptionalTensor = std::optional<at::Tensor>;

at::Tensor multiplied(const at::Tensor& left, const at::Tensor& right, const OptionalTensor& bias) {
  return bias && bias->defined() ? at::addmm(*bias, left, right) : at::mm(left, right);
}

at::Tensor product(const at::Tensor& left, const at::Tensor& right, const OptionalTensor& bias) {
  const Call call("torch_ipex::product", {left, right, defined(bias)});
  return call.result(multiplied(call.read(left), call.read(right), call.read(bias)), at::MemoryFormat::Contiguous);
}

at::Tensor product_meta(const at::Tensor& left, const at::Tensor& right, const OptionalTensor& bias) {
  return at::empty_symint(multiplied(left, right, bias).sym_sizes(), left.options());
}

at::Tensor product_autograd(
    c10::DispatchKeySet keys,
    const at::Tensor& left,
    const at::Tensor& right,
    const OptionalTensor& bias) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("torch_ipex::product", "").typed<decltype(product)>();
  if (needs_gradients({&left, &right}, {&bias}) || has_tangent(left) || has_tangent(right) || has_tangent(bias))
    return multiplied(left, right, bias);
  return op.redispatch(keys & c10::after_autograd_keyset, left, right, bias);
}

} // namespace

IPEX_IMPLEMENT_BELOW_AUTOCAST("product", product, product_meta, product_autograd)

} // namespace ipex::custom_ops
