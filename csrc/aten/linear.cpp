// Derivatives of linear that need its parts.
//
// PyTorch's formula for linear as an operator of its own serves real numbers in reverse mode. On CPU linear is made of
// matmul and add, whose formulas serve the rest; on ipex it is one operator, so for that rest, and for tensors that answer
// in Python, we take it apart.
#include <ATen/ops/linear_native.h>
#include <ATen/ops/linear_ops.h>
#include <c10/core/impl/TorchDispatchModeTLS.h>
#include <torch/library.h>

#include <optional>

namespace ipex {

namespace {

// A tensor that answers operators in Python, such as a DTensor. It gets those that it gets on CPU: it may know no other.
bool answers_in_python(c10::DispatchKeySet keys) {
  return keys.has(c10::DispatchKey::Python) && !c10::impl::TorchDispatchModeTLS::any_modes_set();
}

bool has_tangent(const at::Tensor& tensor) {
  return tensor.defined() && tensor._fw_grad(/*level=*/0).defined();
}

at::Tensor linear(
    c10::DispatchKeySet keys,
    const at::Tensor& input,
    const at::Tensor& weight,
    const std::optional<at::Tensor>& bias) {
  if (C10_UNLIKELY(
          answers_in_python(keys) || input.is_complex() || has_tangent(input) || has_tangent(weight) ||
          (bias && has_tangent(*bias))))
    return at::native::linear(input, weight, bias);
  // PyTorch's formula for reverse mode stands under every autograd key whose devices have a kernel of linear. Ours is
  // hidden by this function; that of nested tensors is the same code and goes on to the keys below autograd.
  const auto below = (keys & c10::after_autograd_keyset).add(c10::DispatchKey::AutogradNestedTensor);
  return at::_ops::linear::redispatch(below, input, weight, bias);
}

TORCH_LIBRARY_IMPL(aten, AutogradPrivateUse1, m) {
  m.impl("linear", TORCH_FN(linear));
}

} // namespace

} // namespace ipex
