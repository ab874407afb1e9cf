// The PrivateUse1 hooks: generators, pinned memory, storage resizing and device queries.
#include "device/hooks.h"

#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/Resize.h>

#include "core/device.h"
#include "device/fork.h"
#include "device/generator.h"
#include "device/pinned_allocator.h"
#include "forms/form.h"

namespace ipex {

namespace {

struct Hooks final : public at::PrivateUse1HooksInterface {
  bool isBuilt() const override {
    return true;
  }

  bool isAvailable() const override {
    return true;
  }

  const at::Generator& getDefaultGenerator(c10::DeviceIndex index) const override {
    check_device_index(index, "default_generator");
    return default_generator();
  }

  at::Generator getNewGenerator(c10::DeviceIndex index) const override {
    check_device_index(index, "Generator");
    return make_generator();
  }

  at::Device getDeviceFromPtr(void*) const override {
    return kDevice;
  }

  bool isPinnedPtr(const void* data) const override {
    return is_pinned(data);
  }

  at::Allocator* getPinnedMemoryAllocator() const override {
    return &pinned_allocator();
  }

  bool hasPrimaryContext(c10::DeviceIndex) const override {
    return true;
  }

  c10::DeviceIndex deviceCount() const override {
    return 1;
  }

  void setCurrentDevice(c10::DeviceIndex index) const override {
    check_device_index(index, "set_device");
  }

  c10::DeviceIndex getCurrentDevice() const override {
    return 0;
  }

  c10::DeviceIndex exchangeDevice(c10::DeviceIndex index) const override {
    check_device_index(index, "device");
    return 0;
  }

  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex index) const override {
    check_device_index(index, "device");
    return 0;
  }

  void resizePrivateUse1Bytes(const c10::Storage& storage, size_t nbytes) const override {
    auto* impl = storage.unsafeGetStorageImpl();
    impl->mutable_data(); // bring shared (copy-on-write) or non-plain bytes to their plain form before they are moved
    at::native::resize_bytes_cpu(impl, nbytes); // allocates with the storage's own allocator
    if (nbytes == 0) // then it leaves a null pointer of the CPU, and a storage's device is its pointer's
      impl->set_data_ptr_noswap(impl->allocator()->allocate(0));
  }
};

// Storages that are made before their tensors, as torch.load does, may become weights, too.
c10::intrusive_ptr<c10::StorageImpl> make_storage(
    c10::StorageImpl::use_byte_size_t use_byte_size,
    c10::SymInt nbytes,
    c10::DataPtr data,
    c10::Allocator* allocator,
    bool resizable) {
  if (data)
    return c10::make_intrusive<c10::StorageImpl>(use_byte_size, nbytes, std::move(data), allocator, resizable);
  auto storage = c10::make_intrusive<c10::StorageImpl>(use_byte_size, nbytes, allocator, resizable);
  forms::Form::watch_from_birth(*storage);
  return storage;
}

} // namespace

void register_hooks() {
  static const bool once = [] {
    c10::SetStorageImplCreate(c10::DeviceType::PrivateUse1, make_storage);
    at::RegisterPrivateUse1HooksInterface(new Hooks()); // PyTorch keeps it for the life of the process
    register_fork_handlers();
    return true;
  }();
  (void)once;
}

} // namespace ipex
