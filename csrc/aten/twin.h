// Twins: CPU tensors that share the memory of ipex tensors while one CPU kernel runs on them.
//
// A twin has its own StorageImpl, whose DataPtr is not owning and keeps the ipex storage alive, and its own TensorImpl.
// Inside one call equal storages get equal twins, so CPU kernels see the aliasing that the user built. The ipex
// storages are not touched, so threads may run on shared weights. Afterwards what the kernel changed (sizes, replaced
// storages, conjugate bits) is brought back, and tensors that the kernel made become ipex tensors without a copy.
//
// See docs/design/0001-twin-fallback.md for the alternatives and why each step is needed.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/SmallVector.h>

#include <string_view>

#include "forms/form.h"

namespace ipex {

class TwinCall {
 public:
  // `op` names the operator in errors and outlives the call. `with_requires_grad`: twins say requires_grad where their
  // tensors do, for kernels that choose by it.
  TwinCall(std::string_view op, bool with_requires_grad) : op_(op), with_requires_grad_(with_requires_grad) {}

  // The twin of `tensor`; a tensor that is not on ipex is its own twin. `written`: the kernel may write it.
  at::Tensor twin(at::Tensor tensor, bool written);
  c10::Storage twin(const c10::Storage& storage, bool written);

  // Brings changes of metadata and storages back to the written ipex tensors. To be called once, after the kernel.
  void bring_back();

  // The ipex tensors for what the kernel returned: an argument's twin becomes the argument, a view of a twin a view of
  // the argument, a fresh tensor is moved to ipex without a copy. The vector must hold the only reference of the
  // caller.
  void adopt_results(c10::ArrayRef<at::Tensor*> results);

 private:
  struct StoragePair {
    c10::StorageImpl* device; // kept alive by the twin's DataPtr, or by the twin itself when it is its own twin
    c10::intrusive_ptr<c10::StorageImpl> cpu;
    bool written;
    forms::Pin pin{};
  };

  struct TensorPair {
    at::Tensor device;
    at::Tensor cpu;
    bool written;
  };

  c10::intrusive_ptr<c10::StorageImpl> twin_storage(const c10::Storage& storage, bool written);
  at::Tensor make_twin(const at::Tensor& tensor, bool written);
  void bring_back(const at::Tensor& device, const at::Tensor& cpu);
  // `references`: how many references `cpu` has when nobody outside this call holds it.
  at::Tensor adopt_result(at::Tensor cpu, size_t references);
  c10::Storage adopt_storage(c10::Storage cpu, bool sole_owner);

  c10::SmallVector<StoragePair, 6> storages_;
  c10::SmallVector<TensorPair, 6> tensors_;
  c10::SmallVector<c10::intrusive_ptr<c10::StorageImpl>, 1> shells_; // aliases of CPU storages that others hold
  c10::ArrayRef<at::Tensor*> results_;
  const std::string_view op_;
  const bool with_requires_grad_;
};

} // namespace ipex
