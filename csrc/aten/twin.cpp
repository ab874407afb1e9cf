// Making twins of arguments, and ipex tensors of what a CPU kernel returns.
#include "aten/twin.h"

#include <ATen/NestedTensorImpl.h>
#include <ATen/SparseCsrTensorImpl.h>
#include <ATen/SparseCsrTensorUtils.h>
#include <ATen/SparseTensorImpl.h>
#include <c10/core/CPUAllocator.h>

#include "aten/on_device.h"
#include "aten/other_backend.h"
#include "core/device.h"
#include "device/allocator.h"
#include "forms/operand.h"
#include "forms/storage.h"

namespace ipex {

namespace {

using at::Tensor;
using at::TensorImpl;
using c10::DispatchKeySet;
using c10::StorageImpl;

// The constructors of the special tensor kinds, written once for both directions. `map` maps a member tensor.
template <class Map>
Tensor remake_sparse(const Tensor& from, DispatchKeySet keys, Map&& map) {
  auto* old = static_cast<at::SparseTensorImpl*>(from.unsafeGetTensorImpl());
  Tensor made = at::detail::make_tensor<at::SparseTensorImpl>(keys, old->dtype());
  auto* impl = static_cast<at::SparseTensorImpl*>(made.unsafeGetTensorImpl());
  impl->resize_(old->sparse_dim(), old->dense_dim(), old->sizes());
  impl->set_indices_and_values_unsafe(map(old->indices()), map(old->values()));
  impl->set_coalesced(old->coalesced());
  return made;
}

template <class Map>
Tensor remake_sparse_compressed(const Tensor& from, DispatchKeySet keys, c10::Device device, Map&& map) {
  auto* old = static_cast<at::SparseCsrTensorImpl*>(from.unsafeGetTensorImpl());
  Tensor made = at::detail::make_tensor<at::SparseCsrTensorImpl>(keys, device, old->layout(), old->dtype());
  static_cast<at::SparseCsrTensorImpl*>(made.unsafeGetTensorImpl())
      ->set_member_tensors(map(old->compressed_indices()), map(old->plain_indices()), map(old->values()), old->sizes());
  return made;
}

// Sizes, strides and offsets of a nested tensor are CPU tensors on every device.
Tensor remake_nested(const Tensor& from, c10::Storage storage, DispatchKeySet keys) {
  auto* old = static_cast<at::native::NestedTensorImpl*>(from.unsafeGetTensorImpl());
  return at::detail::make_tensor<at::native::NestedTensorImpl>(
      std::move(storage),
      keys,
      old->dtype(),
      old->get_nested_sizes(),
      old->get_nested_strides(),
      old->get_storage_offsets());
}

// References to a tensor that nobody but this call sees: its slot, or its slot and the sparse tensor that it is part
// of.
constexpr size_t kOwnReferences = 1;
constexpr size_t kMemberReferences = 2;
constexpr size_t kNotOwned = 0; // no count matches: somebody else sees the tensor

} // namespace

c10::intrusive_ptr<StorageImpl> TwinCall::twin_storage(const c10::Storage& storage, bool written) {
  StorageImpl* device = storage.unsafeGetStorageImpl();
  for (auto& pair : storages_) {
    if (pair.device != device)
      continue;
    if (written && !pair.written) { // first seen as an input: open it for writing now
      pair.written = true;
      auto bytes = forms::write_pinned(*device);
      void* data = const_cast<void*>(bytes.data);
      pair.pin = std::move(bytes.pin);
      if (data != pair.cpu->data()) {
        c10::raw::intrusive_ptr::incref(device);
        pair.cpu->set_data_ptr_noswap(c10::DataPtr(data, device, &release_aliased, kCpu));
      }
    }
    return pair.cpu;
  }
  auto bytes = written ? forms::write_pinned(*device) : forms::read_pinned(*device);
  void* data = const_cast<void*>(bytes.data);
  storages_.push_back(
      {device, alias_storage(device, data, kCpu, c10::GetCPUAllocator()), written, std::move(bytes.pin)});
  return storages_.back().cpu;
}

c10::Storage TwinCall::twin(const c10::Storage& storage, bool written) {
  return storage.device_type() == kDeviceType ? c10::Storage(twin_storage(storage, written)) : storage;
}

Tensor TwinCall::make_twin(const Tensor& tensor, bool written) {
  const DispatchKeySet keys = to_cpu(tensor.key_set());
  const auto member = [&](const Tensor& part) { return twin(part, written); };
  if (C10_LIKELY(tensor.layout() == at::kStrided)) {
    if (C10_UNLIKELY(tensor.is_nested()))
      return remake_nested(tensor, twin_storage(tensor.storage(), written), keys);
    return remake_strided(tensor, twin_storage(tensor.unsafeGetTensorImpl()->unsafe_storage(), written), keys);
  }
  if (tensor.layout() == at::kSparse)
    return remake_sparse(tensor, keys, member);
  if (at::sparse_csr::is_sparse_compressed(tensor))
    return remake_sparse_compressed(tensor, keys, kCpu, member);
  raise(ErrorCode::E104, op_, c10::str("cannot pass a tensor of layout ", tensor.layout(), " to a CPU kernel"));
}

Tensor TwinCall::twin(Tensor tensor, bool written) {
  if (C10_UNLIKELY(!on_device(tensor))) {
    // A genuine CPU operand is its own twin; remembering it keeps results that are it, or views of it, on the CPU. A
    // Python number in tensor's clothing belongs to this call alone.
    if (tensor.defined() && tensor.device().is_cpu() && !tensor.unsafeGetTensorImpl()->is_wrapped_number()) {
      tensors_.push_back({tensor, tensor, false});
      if (tensor.has_storage()) {
        auto* storage = tensor.storage().unsafeGetStorageImpl();
        storages_.push_back({storage, c10::intrusive_ptr<StorageImpl>::reclaim_copy(storage), true});
      }
    }
    return tensor;
  }
  for (auto& pair : tensors_) {
    if (!pair.device.is_same(tensor))
      continue;
    if (written && !pair.written) {
      pair.written = true;
      if (tensor.has_storage())
        twin_storage(tensor.storage(), true);
    }
    return pair.cpu;
  }
  Tensor made = make_twin(tensor, written);
  if (C10_UNLIKELY(with_requires_grad_ && tensor.requires_grad()))
    made.unsafeGetTensorImpl()->set_requires_grad(true);
  tensors_.push_back({std::move(tensor), made, written});
  return made;
}

void TwinCall::bring_back() {
  for (auto& pair : storages_) {
    StorageImpl *device = pair.device, *cpu = pair.cpu.get();
    if (device == cpu)
      continue;
    auto& data = cpu->_mutable_data_ptr_no_checks();
    auto& device_data = device->_mutable_data_ptr_no_checks();
    if (C10_UNLIKELY(
            data.get() != device_data.get())) { // resized or replaced: the new memory moves to the ipex storage
      c10::DataPtr moved = std::move(data);
      void* bytes = moved.get();
      forms::adopt(moved);
      device->set_data_ptr_noswap(std::move(moved));
      c10::raw::intrusive_ptr::incref(device); // whoever still holds the twin keeps an alias
      cpu->set_data_ptr_noswap(c10::DataPtr(bytes, device, &release_aliased, kCpu));
    }
    if (C10_UNLIKELY(cpu->nbytes() != device->nbytes()))
      device->set_nbytes(cpu->nbytes());
  }
  for (size_t i = 0; i < tensors_.size(); ++i)
    if (tensors_[i].written)
      bring_back(tensors_[i].device, tensors_[i].cpu);
}

void TwinCall::bring_back(const Tensor& device, const Tensor& cpu) {
  TensorImpl *to = device.unsafeGetTensorImpl(), *from = cpu.unsafeGetTensorImpl();
  const auto member = [&](Tensor part) { return adopt_result(std::move(part), kMemberReferences); };
  if (C10_UNLIKELY(device.layout() == at::kSparse)) {
    auto* to_sparse = static_cast<at::SparseTensorImpl*>(to);
    auto* from_sparse = static_cast<at::SparseTensorImpl*>(from);
    Tensor indices = member(from_sparse->indices()), values = member(from_sparse->values());
    to_sparse->raw_resize_(from_sparse->sparse_dim(), from_sparse->dense_dim(), from->sizes());
    to_sparse->set_indices_and_values_unsafe(indices, values);
    to_sparse->set_coalesced(from_sparse->coalesced());
    return;
  }
  if (C10_UNLIKELY(at::sparse_csr::is_sparse_compressed(device))) {
    auto* from_csr = static_cast<at::SparseCsrTensorImpl*>(from);
    static_cast<at::SparseCsrTensorImpl*>(to)->set_member_tensors(
        member(from_csr->compressed_indices()),
        member(from_csr->plain_indices()),
        member(from_csr->values()),
        from->sizes());
    return;
  }
  if (C10_UNLIKELY(to->is_nested()))
    return; // a nested tensor's structure is fixed; its bytes are shared
  const StorageImpl* twin_impl = from->unsafe_storage().unsafeGetStorageImpl();
  bool same_storage = false;
  for (auto& pair : storages_)
    same_storage |= pair.cpu.get() == twin_impl && pair.device == to->unsafe_storage().unsafeGetStorageImpl();
  if (C10_UNLIKELY(!same_storage))
    to->set_storage_keep_dtype(adopt_storage(from->unsafe_storage(), false));
  if (C10_UNLIKELY(to->dtype() != from->dtype()))
    to->set_storage_and_dtype(to->unsafe_storage(), from->dtype());
  if (C10_UNLIKELY(
          to->sizes() != from->sizes() || to->strides() != from->strides() ||
          to->storage_offset() != from->storage_offset()))
    to->set_sizes_and_strides(from->sizes(), from->strides(), from->storage_offset());
  if (C10_UNLIKELY(to->is_conj() != from->is_conj()))
    to->_set_conj(from->is_conj());
  if (C10_UNLIKELY(to->is_neg() != from->is_neg()))
    to->_set_neg(from->is_neg());
}

c10::Storage TwinCall::adopt_storage(c10::Storage cpu, bool sole_owner) {
  StorageImpl* impl = cpu.unsafeGetStorageImpl();
  for (auto& pair : storages_)
    if (pair.cpu.get() == impl)
      return c10::Storage(c10::intrusive_ptr<StorageImpl>::reclaim_copy(pair.device));
  if (impl->device_type() == kDeviceType)
    return cpu;
  if (C10_LIKELY(sole_owner)) {
    forms::adopt(impl->_mutable_data_ptr_no_checks());
    impl->set_allocator(&device_allocator());
    return cpu;
  }
  // Somebody else holds the CPU storage (a cache inside the kernel): leave it and alias it.
  auto shell = alias_storage(impl, impl->mutable_data(), kDevice, &device_allocator());
  storages_.push_back({shell.get(), c10::intrusive_ptr<StorageImpl>::reclaim_copy(impl), true});
  shells_.push_back(shell);
  return c10::Storage(std::move(shell));
}

Tensor TwinCall::adopt_result(Tensor cpu, size_t references) {
  if (!cpu.defined() || !cpu.device().is_cpu())
    return cpu;
  for (auto& pair : tensors_)
    if (pair.cpu.is_same(cpu))
      return pair.device;
  const DispatchKeySet keys = to_device(cpu.key_set());
  const bool sole_tensor = cpu.use_count() == references;
  const auto member = [&](Tensor part) {
    return adopt_result(std::move(part), sole_tensor ? kMemberReferences : kNotOwned);
  };
  if (C10_UNLIKELY(cpu.layout() == at::kSparse))
    return remake_sparse(cpu, keys, member);
  if (C10_UNLIKELY(at::sparse_csr::is_sparse_compressed(cpu)))
    return remake_sparse_compressed(cpu, keys, kDevice, member);
  IPEX_CHECK(
      cpu.layout() == at::kStrided,
      E104,
      op_,
      "the CPU kernel returned a tensor of layout ",
      cpu.layout(),
      "; accepted: strided, sparse and nested tensors");
  TensorImpl* impl = cpu.unsafeGetTensorImpl();
  const size_t storage_uses = impl->unsafe_storage().use_count();
  bool sole_storage = sole_tensor && storage_uses == 1;
  if (C10_UNLIKELY(!sole_storage && sole_tensor && results_.size() > 1)) { // results may share one fresh storage
    size_t holders = 1; // `cpu` itself was taken out of its slot
    for (const Tensor* other : results_)
      holders += other->defined() && other->has_storage() && other->use_count() == 1 &&
          other->unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl() ==
              impl->unsafe_storage().unsafeGetStorageImpl();
    sole_storage = holders == storage_uses;
  }
  if (C10_UNLIKELY(impl->is_nested()))
    return remake_nested(cpu, adopt_storage(impl->unsafe_storage(), sole_storage), keys);
  if (C10_LIKELY(sole_tensor)) {
    c10::Storage storage = adopt_storage(impl->unsafe_storage(), sole_storage);
    impl->set_allow_tensor_metadata_change(true);
    impl->_change_backend_component_keys(kDevice);
    impl->set_storage_keep_dtype(std::move(storage)); // the tensor's device is its storage's
    return cpu;
  }
  return remake_strided(cpu, adopt_storage(impl->unsafe_storage(), false), keys);
}

void TwinCall::adopt_results(c10::ArrayRef<Tensor*> results) {
  results_ = results;
  for (Tensor* result : results)
    *result = adopt_result(std::move(*result), kOwnReferences);
  results_ = {};
}

} // namespace ipex
