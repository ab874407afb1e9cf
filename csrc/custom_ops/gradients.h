// What the operators of torch_ipex share above their kernels: gradients, autocast, registration.
#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <vector>

namespace ipex::custom_ops {

// Whether gradients of a call with these tensors are recorded.
inline bool needs_gradients(
    std::initializer_list<const at::Tensor*> tensors,
    std::initializer_list<const std::optional<at::Tensor>*> optionals = {}) {
  const auto records = [](const at::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); };
  return at::GradMode::is_enabled() &&
      (std::any_of(tensors.begin(), tensors.end(), [&](const at::Tensor* tensor) { return records(*tensor); }) ||
       std::any_of(optionals.begin(), optionals.end(), [&](const std::optional<at::Tensor>* tensor) {
         return tensor->has_value() && records(**tensor);
       }));
}

// Whether a tensor carries a forward-mode gradient, for which the operators of at have formulas, and ours have none.
inline bool has_tangent(const at::Tensor& tensor) {
  return tensor.defined() && tensor._fw_grad(/*level=*/0).defined();
}
inline bool has_tangent(const std::optional<at::Tensor>& tensor) {
  return tensor && has_tangent(*tensor);
}

// Converts tensors of a call under autocast to its dtype, with autocast's cache; below it, autocast is off.
class Lowered {
 public:
  explicit Lowered(const at::Tensor& example)
      : device_(example.device().type()),
        guard_(c10::autocast_dispatch_keyset),
        dtype_(at::autocast::get_autocast_dtype(device_)) {}

  at::Tensor operator()(const at::Tensor& tensor) const {
    return tensor.defined() ? at::autocast::cached_cast(dtype_, tensor, device_) : tensor;
  }
  std::optional<at::Tensor> operator()(const std::optional<at::Tensor>& tensor) const {
    return tensor ? std::optional((*this)(*tensor)) : std::nullopt;
  }
  std::vector<at::Tensor> operator()(at::TensorList tensors) const {
    std::vector<at::Tensor> result;
    for (const at::Tensor& tensor : tensors)
      result.push_back((*this)(tensor));
    return result;
  }

 private:
  const at::DeviceType device_;
  const c10::impl::ExcludeDispatchKeyGuard guard_;
  const at::ScalarType dtype_;
};

} // namespace ipex::custom_ops

// Registers the kernels of an operator for every key that they serve.
#define IPEX_IMPLEMENT_BELOW_AUTOCAST(name, kernel, meta, autograd) \
  TORCH_LIBRARY_IMPL(torch_ipex, CPU, library) {                    \
    library.impl(name, TORCH_FN(kernel));                           \
  }                                                                 \
  TORCH_LIBRARY_IMPL(torch_ipex, PrivateUse1, library) {            \
    library.impl(name, TORCH_FN(kernel));                           \
  }                                                                 \
  TORCH_LIBRARY_IMPL(torch_ipex, Meta, library) {                   \
    library.impl(name, TORCH_FN(meta));                             \
  }                                                                 \
  TORCH_LIBRARY_IMPL(torch_ipex, Autograd, library) {               \
    library.impl(name, TORCH_FN(autograd));                         \
  }
#define IPEX_IMPLEMENT(name, kernel, meta, autograd, autocast)   \
  IPEX_IMPLEMENT_BELOW_AUTOCAST(name, kernel, meta, autograd)    \
  TORCH_LIBRARY_IMPL(torch_ipex, AutocastCPU, library) {         \
    library.impl(name, TORCH_FN(autocast));                      \
  }                                                              \
  TORCH_LIBRARY_IMPL(torch_ipex, AutocastPrivateUse1, library) { \
    library.impl(name, TORCH_FN(autocast));                      \
  }
