// Moving storages into shared memory, through PyTorch's own file-descriptor allocator.
#include "aten/sharing.h"

#include <ATen/MapAllocator.h>
#include <ATen/StorageUtils.h>

#include <cstring>

#include "aten/twin.h"
#include "core/device.h"
#include "forms/storage.h"

namespace ipex {

namespace {

// The mapping that holds the bytes of a storage, also when the storage is an alias of a CPU storage that owns it.
at::MapAllocator* mapping_of(c10::StorageImpl& storage) {
  c10::StorageImpl* owner = aliased_storage(storage);
  return at::MapAllocator::fromDataPtr((owner ? *owner : storage)._mutable_data_ptr_no_checks());
}

c10::StorageImpl& shareable_storage(const at::Tensor& tensor) {
  IPEX_CHECK(
      on_device(tensor) && tensor.has_storage(),
      E204,
      "share_memory_",
      "got a tensor of layout ",
      tensor.layout(),
      " on ",
      tensor.device(),
      "; accepted: strided ipex tensors");
  return *tensor.storage().unsafeGetStorageImpl();
}

} // namespace

SharedMemory share_storage(const at::Tensor& tensor) {
  c10::StorageImpl& storage = shareable_storage(tensor);
  if (mapping_of(storage) == nullptr) {
    IPEX_CHECK(
        aliased_storage(storage) == nullptr,
        E204,
        "share_memory_",
        "got a tensor that is an alias of another library's or the CPU's memory; accepted: a tensor with memory of its "
        "own, for example tensor.clone()");
    const void* bytes = write_bytes(storage);
    const c10::Storage shared = at::new_shm_fd_storage(storage.nbytes());
    c10::DataPtr memory = shared.unsafeGetStorageImpl()->set_data_ptr(c10::DataPtr(nullptr, kCpu));
    if (storage.nbytes() != 0)
      std::memcpy(memory.get(), bytes, storage.nbytes());
    memory.unsafe_set_device(kDevice);
    storage.set_data_ptr_noswap(std::move(memory));
    storage.set_resizable(false); // as PyTorch does for CPU storages in shared memory
  }
  return {mapping_of(storage)->fd(), static_cast<int64_t>(storage.nbytes())};
}

bool is_shared(const at::Tensor& tensor) {
  return mapping_of(shareable_storage(tensor)) != nullptr;
}

} // namespace ipex
