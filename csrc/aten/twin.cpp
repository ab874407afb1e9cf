// Making twins of arguments, and ipex tensors of what a CPU kernel returns.
#include "aten/twin.h"

#include <ATen/NestedTensorImpl.h>
#include <ATen/SparseCsrTensorImpl.h>
#include <ATen/SparseCsrTensorUtils.h>
#include <ATen/SparseTensorImpl.h>
#include <ATen/quantized/QTensorImpl.h>
#include <c10/core/CPUAllocator.h>

#include <pthread.h>

#include <mutex>
#include <unordered_map>

#include "core/device.h"
#include "device/allocator.h"
#include "forms/block.h"
#include "forms/operand.h"
#include "forms/storage.h"

namespace ipex {

namespace {

using at::Tensor;
using at::TensorImpl;
using c10::BackendComponent;
using c10::DispatchKeySet;
using c10::StorageImpl;

// Deleter of DataPtrs whose context is a StorageImpl that they keep alive.
void release_storage(void* context) {
  c10::raw::intrusive_ptr::decref(static_cast<StorageImpl*>(context));
}

// Counts the CPU aliases of storages without a header (forms/block.h). Such storages are small, or not ours.
class AliasCounts {
 public:
  void add(const StorageImpl* storage) {
    const std::lock_guard lock(mutex_);
    ++counts_[storage];
  }

  void remove(const StorageImpl* storage) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(storage);
    if (found != counts_.end() && --found->second == 0)
      counts_.erase(found);
  }

  bool has(const StorageImpl* storage) {
    const std::lock_guard lock(mutex_);
    return counts_.contains(storage);
  }

  std::mutex& mutex() {
    return mutex_;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<const StorageImpl*, int64_t> counts_;
};

AliasCounts& alias_counts() {
  static AliasCounts* counts = [] {
    static auto* made = new AliasCounts(); // never destroyed: aliases may die while the program ends
    pthread_atfork([] { made->mutex().lock(); }, [] { made->mutex().unlock(); }, [] { made->mutex().unlock(); });
    return made;
  }();
  return *counts;
}

// The same for aliases that users hold: while one lives its owner keeps no packed copies.
void release_counted_storage(void* context) {
  auto* storage = static_cast<StorageImpl*>(context);
  if (forms::Block* block = forms::block_of(storage->data_ptr()))
    block->aliases.fetch_sub(1, std::memory_order_release);
  else
    alias_counts().remove(storage);
  release_storage(storage);
}

c10::intrusive_ptr<StorageImpl> alias(
    StorageImpl* owner,
    void* data,
    c10::Device device,
    c10::Allocator* allocator,
    c10::DeleterFnPtr release = &release_storage) {
  c10::raw::intrusive_ptr::incref(owner);
  return c10::make_intrusive<StorageImpl>(
      StorageImpl::use_byte_size_t(),
      static_cast<int64_t>(owner->nbytes()),
      c10::DataPtr(data, owner, release, device),
      allocator,
      owner->resizable());
}

// The same keys on another backend. Python keys are dropped: a twin has no Python object to dispatch to.
DispatchKeySet on_backend(DispatchKeySet keys, BackendComponent from, BackendComponent to) {
  keys = (keys - c10::getAutocastRelatedKeySetFromBackend(from)) | c10::getAutocastRelatedKeySetFromBackend(to);
  return (keys.remove_backend(from) | DispatchKeySet(to)) - c10::python_ks;
}

DispatchKeySet to_cpu(DispatchKeySet keys) {
  return on_backend(keys, BackendComponent::PrivateUse1Bit, BackendComponent::CPUBit);
}

DispatchKeySet to_device(DispatchKeySet keys) {
  return on_backend(keys, BackendComponent::CPUBit, BackendComponent::PrivateUse1Bit);
}

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
        pair.cpu->set_data_ptr_noswap(c10::DataPtr(data, device, &release_storage, kCpu));
      }
    }
    return pair.cpu;
  }
  auto bytes = written ? forms::write_pinned(*device) : forms::read_pinned(*device);
  void* data = const_cast<void*>(bytes.data);
  storages_.push_back({device, alias(device, data, kCpu, c10::GetCPUAllocator()), written, std::move(bytes.pin)});
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
      cpu->set_data_ptr_noswap(c10::DataPtr(bytes, device, &release_storage, kCpu));
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
  auto shell = alias(impl, impl->mutable_data(), kDevice, &device_allocator());
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

c10::StorageImpl* aliased_storage(c10::StorageImpl& storage) {
  auto& data = storage._mutable_data_ptr_no_checks();
  const bool alias = data.get_deleter() == &release_storage || data.get_deleter() == &release_counted_storage;
  return alias ? static_cast<StorageImpl*>(data.get_context()) : nullptr;
}

Tensor as_cpu(const Tensor& tensor) {
  IPEX_CHECK(on_device(tensor), E103, "as_cpu", "got a tensor on ", tensor.device(), "; accepted: a tensor on ipex");
  IPEX_CHECK(
      tensor.layout() == at::kStrided && !tensor.is_nested() && !tensor.is_quantized(),
      E104,
      "as_cpu",
      "got a tensor that is sparse, nested or quantized; accepted: a strided tensor, for example its values()");
  c10::StorageImpl* storage = tensor.storage().unsafeGetStorageImpl();
  write_bytes(*storage); // nothing is counted if that fails
  if (forms::Block* block = forms::block_of(storage->data_ptr()))
    block->aliases.fetch_add(1, std::memory_order_acq_rel);
  else
    alias_counts().add(storage);
  // Again: what came back before it was counted is dropped, and nothing comes back now.
  auto twin = alias(storage, write_bytes(*storage), kCpu, c10::GetCPUAllocator(), &release_counted_storage);
  twin->set_resizable(false); // the alias must not leave the memory that it is an alias of
  return remake_strided(tensor, c10::Storage(std::move(twin)), to_cpu(tensor.key_set()));
}

bool has_cpu_alias(StorageImpl& storage) {
  const forms::Block* block = forms::block_of(storage.data_ptr());
  return block ? block->aliases.load(std::memory_order_acquire) > 0 : alias_counts().has(&storage);
}

namespace {

void (*alias_observer)(c10::StorageImpl&) = nullptr;

Tensor over_cpu(const Tensor& tensor, bool writable) {
  IPEX_CHECK(
      tensor.device().is_cpu() && tensor.layout() == at::kStrided && !tensor.is_nested() && !tensor.is_quantized(),
      E104,
      "from_cpu",
      "got a tensor that is not a strided CPU tensor; accepted: strided CPU tensors");
  c10::StorageImpl* storage = tensor.storage().unsafeGetStorageImpl();
  void* const bytes = writable ? storage->mutable_data() : const_cast<void*>(storage->data());
  auto shell = alias(storage, bytes, kDevice, &device_allocator());
  shell->set_resizable(false);
  return remake_strided(tensor, c10::Storage(std::move(shell)), to_device(tensor.key_set()));
}

} // namespace

void set_alias_observer(void (*observer)(c10::StorageImpl&)) {
  alias_observer = observer;
}

Tensor from_cpu(const Tensor& tensor) {
  Tensor made = over_cpu(tensor, /*writable=*/true);
  if (alias_observer != nullptr)
    alias_observer(*tensor.storage().unsafeGetStorageImpl());
  return made;
}

Tensor borrow_cpu(const Tensor& tensor) {
  return over_cpu(tensor, /*writable=*/false);
}

Tensor on_device_as(const Tensor& tensor, const c10::Storage& storage, std::optional<at::ScalarType> dtype) {
  Tensor made = at::detail::make_tensor<TensorImpl>(
      c10::Storage(storage), to_device(tensor.key_set()), dtype ? c10::scalarTypeToTypeMeta(*dtype) : tensor.dtype());
  made.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(), tensor.storage_offset());
  return made;
}

} // namespace ipex
