// Attaches copies to the memory of CPU tensors.
#include "custom_ops/resident.h"

#include <ATen/ops/empty.h>
#include <c10/core/CPUAllocator.h>

#include <mutex>
#include <vector>

#include "aten/twin.h"
#include "core/device.h"

namespace ipex::custom_ops {

namespace {

// What the DataPtr of a CPU storage holds instead of its bytes' owner, which it holds itself.
struct Resident {
  c10::DataPtr bytes;
  int64_t uses = 0; // since the last write
  struct Copy {
    at::ScalarType dtype;
    c10::Storage storage; // as many elements as the weight's
  };
  std::vector<Copy> copies; // one per dtype
};

std::mutex mutex; // of all of them
int64_t bytes_now = 0;

void drop(Resident& resident) {
  for (const Resident::Copy& copy : resident.copies)
    bytes_now -= static_cast<int64_t>(copy.storage.nbytes());
  resident.copies.clear();
  resident.uses = 0;
}

void release(void* context) {
  auto* resident = static_cast<Resident*>(context);
  {
    const std::lock_guard lock(mutex);
    drop(*resident);
  }
  delete resident;
}

Resident* find(const c10::StorageImpl& storage) {
  const c10::DataPtr& data = storage.data_ptr();
  return data.get_deleter() == &release ? static_cast<Resident*>(data.get_context()) : nullptr;
}

// PyTorch calls it before somebody gets a pointer to write through.
void written(c10::StorageImpl* storage) {
  const std::lock_guard lock(mutex);
  if (Resident* resident = find(*storage))
    drop(*resident);
}

// Null when the memory is not that of PyTorch's allocator.
Resident* find_or_attach(c10::StorageImpl& storage) {
  if (Resident* found = find(storage))
    return found;
  c10::DataPtr& data = storage._mutable_data_ptr_no_checks();
  if (storage.has_materializer() || data.get_deleter() != c10::GetDefaultCPUAllocator()->raw_deleter())
    return nullptr;
  auto* made = new Resident();
  void* const address = data.get();
  made->bytes = std::move(data); // which keeps its address, for threads that read it meanwhile
  data = c10::DataPtr(address, made, &release, kCpu);
  return made;
}

// Whether `weight` is most of its storage.
bool is_most(const at::Tensor& weight) {
  const auto nbytes = static_cast<int64_t>(weight.storage().nbytes());
  return nbytes % weight.itemsize() == 0 && 2 * weight.numel() * static_cast<int64_t>(weight.itemsize()) >= nbytes;
}

c10::Storage copied(const at::Tensor& weight, at::ScalarType dtype) {
  constexpr int64_t kDense = 1;
  const auto count = static_cast<int64_t>(weight.storage().nbytes() / weight.itemsize());
  at::Tensor all = borrow_cpu(weight);
  all.unsafeGetTensorImpl()->set_sizes_and_strides(c10::IntArrayRef(count), c10::IntArrayRef(kDense), 0);
  return at::empty({count}, all.options().dtype(dtype)).copy_(all).storage();
}

at::Tensor borrowed(const at::Tensor& weight, at::ScalarType dtype) {
  return borrow_cpu(weight).to(dtype);
}

} // namespace

at::Tensor resident(const at::Tensor& weight, at::ScalarType dtype) {
  constexpr int64_t kSmallest = 1 << 10; // elements; fewer are packed as fast as they are looked up
  if (weight.numel() < kSmallest || !is_most(weight))
    return borrowed(weight, dtype);
  c10::StorageImpl& storage = *weight.storage().unsafeGetStorageImpl();
  const std::lock_guard lock(mutex);
  Resident* found = find_or_attach(storage);
  if (found == nullptr || ++found->uses < 2)
    return borrowed(weight, dtype);
  for (const Resident::Copy& copy : found->copies)
    if (copy.dtype == dtype)
      return on_device_as(weight, copy.storage, dtype);
  if (found->copies.empty()) {
    if (storage.has_materializer()) // somebody else's
      return borrowed(weight, dtype);
    storage.set_materializer(&written);
  }
  found->copies.push_back({dtype, copied(weight, dtype)});
  bytes_now += static_cast<int64_t>(found->copies.back().storage.nbytes());
  return on_device_as(weight, found->copies.back().storage, dtype);
}

int64_t resident_bytes() {
  const std::lock_guard lock(mutex);
  return bytes_now;
}

} // namespace ipex::custom_ops
