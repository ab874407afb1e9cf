// Aliases that users and collectives hold, with the count of those that keep packed copies away.
#include "aten/alias.h"

#include <c10/core/CPUAllocator.h>

#include <pthread.h>

#include <mutex>
#include <unordered_map>

#include "aten/on_device.h"
#include "aten/other_backend.h"
#include "core/device.h"
#include "device/allocator.h"
#include "forms/block.h"
#include "forms/storage.h"

namespace ipex {

using at::Tensor;
using c10::StorageImpl;

namespace {

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

// Deleter of DataPtrs of counted aliases.
void release_counted_storage(void* context) {
  auto* storage = static_cast<StorageImpl*>(context);
  if (forms::Block* block = forms::block_of(storage->data_ptr()))
    block->aliases.fetch_sub(1, std::memory_order_release);
  else
    alias_counts().remove(storage);
  release_aliased(storage);
}

} // namespace

c10::StorageImpl* aliased_storage(c10::StorageImpl& storage) {
  auto& data = storage._mutable_data_ptr_no_checks();
  const bool alias = data.get_deleter() == &release_aliased || data.get_deleter() == &release_counted_storage;
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
  auto twin = alias_storage(storage, write_bytes(*storage), kCpu, c10::GetCPUAllocator(), &release_counted_storage);
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
  auto shell = alias_storage(storage, bytes, kDevice, &device_allocator());
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

} // namespace ipex
