// Call: one custom operator, on tensors that are all on CPU or all on ipex. CPU tensors are read where they are, by the
// kernels of ipex, and the result is a CPU tensor over memory of ipex.
#pragma once

#include <ATen/core/LegacyTypeDispatch.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <optional>

#include "amp/mode.h"
#include "aten/stats.h"
#include "fusion/open_primitive.h"
#include "int8/run.h"

namespace ipex::custom_ops {

// Throws E102 when tensors are on several devices; whether they are on CPU.
bool check_devices(std::string_view op, c10::ArrayRef<at::Tensor> tensors);

inline at::Tensor defined(const std::optional<at::Tensor>& tensor) {
  return tensor ? *tensor : at::Tensor();
}

// The dtype in which `weight` is multiplied with `source`.
at::ScalarType weight_dtype(const at::Tensor& weight, const at::Tensor& source);

class Call {
 public:
  // Throws E102 when tensors are on several devices. Undefined ones are none.
  Call(std::string_view op, c10::ArrayRef<at::Tensor> tensors);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // What the kernel reads: `tensor` on ipex. Weights may be a copy that is kept (resident.h); float32 ones are rounded to the
  // dtype of a source in less.
  at::Tensor read(const at::Tensor& tensor) const;
  at::Tensor weight(const at::Tensor& tensor, const at::Tensor& source) const;
  std::optional<at::Tensor> bias(const std::optional<at::Tensor>& tensor, const at::Tensor& source) const;
  std::optional<at::Tensor> read(const std::optional<at::Tensor>& tensor) const;

  // The kernel's result, where the operator's tensors are. `format`: the order, and so the strides, that it gets.
  at::Tensor result(at::Tensor made, std::optional<at::MemoryFormat> format = std::nullopt) const;

 private:
  const bool on_cpu_;
  const at::AutoDispatchBelowADInplaceOrView below_autograd_;
  const c10::impl::ExcludeDispatchKeyGuard without_autocast_;
  // On CPU, what ipex tensors are told is not meant.
  std::optional<amp::Suspended> without_amp_;
  std::optional<fusion::Undisturbed> undisturbed_;
  std::optional<FallbackIsMeant> fallback_is_meant_;
  std::shared_ptr<int8::Run> run_;
};

} // namespace ipex::custom_ops
