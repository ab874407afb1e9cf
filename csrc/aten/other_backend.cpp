// What changes of a tensor and its storage between CPU and ipex: dispatch keys, device and owner of the bytes.
#include "aten/other_backend.h"

#include <ATen/quantized/QTensorImpl.h>

#include "core/device.h"

namespace ipex {

using at::Tensor;
using at::TensorImpl;
using c10::BackendComponent;
using c10::DispatchKeySet;
using c10::StorageImpl;

namespace {

// The same keys on another backend.
DispatchKeySet on_backend(DispatchKeySet keys, BackendComponent from, BackendComponent to) {
  keys = (keys - c10::getAutocastRelatedKeySetFromBackend(from)) | c10::getAutocastRelatedKeySetFromBackend(to);
  return (keys.remove_backend(from) | DispatchKeySet(to)) - c10::python_ks;
}

} // namespace

DispatchKeySet to_cpu(DispatchKeySet keys) {
  return on_backend(keys, BackendComponent::PrivateUse1Bit, BackendComponent::CPUBit);
}

DispatchKeySet to_device(DispatchKeySet keys) {
  return on_backend(keys, BackendComponent::CPUBit, BackendComponent::PrivateUse1Bit);
}

void release_aliased(void* context) {
  c10::raw::intrusive_ptr::decref(static_cast<StorageImpl*>(context));
}

c10::intrusive_ptr<StorageImpl> alias_storage(
    StorageImpl* owner,
    void* data,
    c10::Device device,
    c10::Allocator* allocator,
    c10::DeleterFnPtr release) {
  c10::raw::intrusive_ptr::incref(owner);
  return c10::make_intrusive<StorageImpl>(
      StorageImpl::use_byte_size_t(),
      static_cast<int64_t>(owner->nbytes()),
      c10::DataPtr(data, owner, release, device),
      allocator,
      owner->resizable());
}

Tensor remake_strided(const Tensor& from, c10::Storage storage, DispatchKeySet keys) {
  TensorImpl* old = from.unsafeGetTensorImpl();
  Tensor made;
  if (C10_UNLIKELY(old->is_quantized()))
    made = at::detail::make_tensor<at::QTensorImpl>(
        std::move(storage), keys, old->dtype(), static_cast<at::QTensorImpl*>(old)->quantizer());
  else
    made = at::detail::make_tensor<TensorImpl>(std::move(storage), keys, old->dtype());
  TensorImpl* impl = made.unsafeGetTensorImpl();
  impl->set_sizes_and_strides(old->sizes(), old->strides(), old->storage_offset());
  if (old->is_wrapped_number())
    impl->set_wrapped_number(true);
  return made;
}

Tensor on_device_as(const Tensor& tensor, const c10::Storage& storage, std::optional<at::ScalarType> dtype) {
  Tensor made = at::detail::make_tensor<TensorImpl>(
      c10::Storage(storage), to_device(tensor.key_set()), dtype ? c10::scalarTypeToTypeMeta(*dtype) : tensor.dtype());
  made.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(), tensor.storage_offset());
  return made;
}

} // namespace ipex
