// Moving storages of ipex tensors into memory that a CPU storage owns: PyTorch's shared memory, of either strategy.
#include "aten/sharing.h"

#include <ATen/MapAllocator.h>

#include <cstring>

#include "aten/alias.h"
#include "aten/on_device.h"
#include "core/device.h"
#include "forms/storage.h"

namespace ipex {

namespace {

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

std::optional<at::Tensor> owner_of_memory(const at::Tensor& tensor) {
  c10::StorageImpl* owner = aliased_storage(shareable_storage(tensor));
  if (owner == nullptr || !owner->device().is_cpu())
    return std::nullopt;
  return at::empty({0}, at::kByte).set_(c10::Storage(c10::intrusive_ptr<c10::StorageImpl>::reclaim_copy(owner)));
}

void move_memory(const at::Tensor& tensor, const at::Tensor& target) {
  c10::StorageImpl& storage = shareable_storage(tensor);
  IPEX_CHECK(
      aliased_storage(storage) == nullptr,
      E204,
      "share_memory_",
      "got a tensor that is an alias of another library's or the CPU's memory; accepted: a tensor with memory of its "
      "own, for example tensor.clone()");
  TORCH_INTERNAL_ASSERT(target.device().is_cpu() && target.storage().nbytes() == storage.nbytes());
  const void* bytes = write_bytes(storage);
  IPEX_CHECK(
      !has_cpu_alias(storage),
      E204,
      "share_memory_",
      "got a tensor whose memory a CPU tensor or another library sees (as_cpu, DLPack), which would be left behind; "
      "accepted: a tensor without aliases, for example tensor.clone()");
  std::memcpy(target.storage().mutable_data(), bytes, storage.nbytes());
  const at::Tensor shell = from_cpu(target);
  storage.set_data_ptr_noswap(shell.storage().unsafeGetStorageImpl()->set_data_ptr(c10::DataPtr(nullptr, kDevice)));
  storage.set_resizable(false); // as PyTorch does for CPU storages in shared memory
}

bool has_descriptor(const at::Tensor& owner) {
  return at::MapAllocator::fromDataPtr(owner.storage().unsafeGetStorageImpl()->_mutable_data_ptr_no_checks()) !=
      nullptr;
}

} // namespace ipex
