// Attaches copies to the memory of CPU tensors.
#include "custom_ops/resident.h"

#include <ATen/ops/empty.h>
#include <c10/core/CPUAllocator.h>

#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "aten/alias.h"
#include "aten/other_backend.h"
#include "core/device.h"
#include "fusion/open_primitive.h"

namespace ipex::custom_ops {

namespace {

// What the DataPtr of a CPU storage holds instead of its bytes' owner, which it holds itself.
struct Resident {
  c10::DataPtr bytes;
  bool may_copy = true; // nobody writes the bytes unseen
  uint64_t writes = 0; // that were seen
  struct Use {
    c10::DimVector strides;
    int64_t offset;
    bool operator==(const Use&) const = default;
  };
  std::vector<Use> uses; // since the last write: gradients read weights transposed, once
  struct Copy {
    at::ScalarType dtype;
    uint32_t version; // of the weight, which in-place operators raise when they have written
    c10::Storage storage; // as many elements as the weight's
  };
  std::vector<Copy> copies; // one per dtype
};

// Of all of them. Nothing is computed while it is held.
std::mutex& the_mutex() {
  static auto* const made = [] {
    static std::mutex mutex;
    fusion::close_all(); // makes what has handlers of its own: these have to run after this one
    pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });
    return &mutex;
  }();
  return *made;
}

int64_t bytes_now = 0;

void drop(Resident& resident) {
  for (const Resident::Copy& copy : resident.copies)
    bytes_now -= static_cast<int64_t>(copy.storage.nbytes());
  resident.copies.clear();
  resident.uses.clear();
  ++resident.writes;
}

void release(void* context) {
  auto* resident = static_cast<Resident*>(context);
  {
    const std::lock_guard lock(the_mutex());
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
  const std::lock_guard lock(the_mutex());
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

uint32_t version_of(const at::Tensor& weight) {
  return weight.is_inference() ? 0 : weight.unsafeGetTensorImpl()->version_counter().current_version();
}

// Whether the weight is used as it was before, since the last write.
bool is_used_again(Resident& resident, const at::Tensor& weight) {
  constexpr size_t kMostUses = 4;
  const Resident::Use use{c10::DimVector(weight.strides()), weight.storage_offset()};
  if (std::find(resident.uses.begin(), resident.uses.end(), use) != resident.uses.end())
    return true;
  if (resident.uses.size() == kMostUses)
    resident.uses.erase(resident.uses.begin());
  resident.uses.push_back(use);
  return false;
}

// Somebody who is not seen may write the memory from now on.
void share(c10::StorageImpl& storage) {
  const std::lock_guard lock(the_mutex());
  if (Resident* resident = find_or_attach(storage)) {
    drop(*resident);
    resident->may_copy = false;
  }
}

const bool is_told_of_aliases = [] {
  set_alias_observer(&share);
  return true;
}();

at::Tensor borrowed(const at::Tensor& weight, at::ScalarType dtype) {
  return borrow_cpu(weight).to(dtype);
}

} // namespace

at::Tensor resident(const at::Tensor& weight, at::ScalarType dtype) {
  constexpr int64_t kSmallest = 1 << 10; // elements; fewer are packed as fast as they are looked up
  if (weight.numel() < kSmallest || !is_most(weight))
    return borrowed(weight, dtype);
  c10::StorageImpl& storage = *weight.storage().unsafeGetStorageImpl();
  const uint32_t version = version_of(weight);
  uint64_t writes = 0;
  Resident* found = nullptr;
  {
    const std::lock_guard lock(the_mutex());
    found = find_or_attach(storage);
    if (found == nullptr || !found->may_copy)
      return borrowed(weight, dtype);
    if (std::any_of(found->copies.begin(), found->copies.end(), [&](const auto& c) { return c.version != version; }))
      drop(*found);
    for (const Resident::Copy& copy : found->copies)
      if (copy.dtype == dtype)
        return on_device_as(weight, copy.storage, dtype);
    if (!is_used_again(*found, weight))
      return borrowed(weight, dtype);
    if (!storage.has_materializer())
      storage.set_materializer(&written);
    writes = found->writes;
  }
  Resident::Copy made{dtype, version, copied(weight, dtype)};
  const std::lock_guard lock(the_mutex());
  if (found->writes != writes)
    return borrowed(weight, dtype);
  const c10::Storage kept = made.storage;
  if (std::none_of(found->copies.begin(), found->copies.end(), [&](const auto& c) { return c.dtype == dtype; })) {
    bytes_now += static_cast<int64_t>(kept.nbytes());
    found->copies.push_back(std::move(made));
  }
  return on_device_as(weight, kept, dtype);
}

int64_t resident_bytes() {
  const std::lock_guard lock(the_mutex());
  return bytes_now;
}

} // namespace ipex::custom_ops
