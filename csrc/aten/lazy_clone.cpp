// Copy-on-write clones of ipex tensors.
#include <ATen/ops/_lazy_clone_native.h>
#include <ATen/ops/clone.h>
#include <c10/core/impl/COW.h>
#include <c10/core/impl/COWDeleter.h>
#include <torch/library.h>

#include <cstring>

#include "core/device.h"
#include "device/allocator.h"
#include "forms/storage.h"

namespace ipex {

namespace {

using at::Tensor;
using c10::impl::cow::COWDeleterContext;

// What the first write to `storage` does: it gets memory of its own. PyTorch's function gives its share of the common
// memory back before it asks for that; when there is none, the share is given back again later, which ends the process.
void leave_shared(c10::StorageImpl* storage) {
  c10::DataPtr& data = storage->_mutable_data_ptr_no_checks();
  auto* context = data.cast_context<COWDeleterContext>(&c10::impl::cow::cow_deleter);
  TORCH_INTERNAL_ASSERT(context != nullptr);
  c10::DataPtr own = device_allocator().allocate(storage->nbytes());
  auto share = context->decrement_refcount();
  if (auto* last = std::get_if<COWDeleterContext::LastReference>(&share)) {
    const c10::DeleterFnPtr deleter = last->get_deleter();
    own = c10::DataPtr(data.get(), last->release(), deleter, kDevice);
  } else {
    std::memcpy(own.get(), data.get(), storage->nbytes());
  }
  data.release_context();
  data = std::move(own);
}

void watch_shared(c10::StorageImpl& storage) {
  storage.clear_materializer();
  storage.set_materializer(&leave_shared);
}

// Copy-on-write takes the storage's own memory over, so that must be plain, unwatched and allocated here.
Tensor lazy_clone(const Tensor& self) {
  c10::StorageImpl& storage = *self.storage().unsafeGetStorageImpl();
  if (!c10::impl::cow::is_cow_data_ptr(storage._mutable_data_ptr_no_checks())) {
    storage.mutable_data(); // and nobody watches them any more
    if (!c10::impl::cow::has_simple_data_ptr(storage))
      return self.clone();
  }
  Tensor made = at::native::_lazy_clone(self);
  watch_shared(storage);
  watch_shared(*made.storage().unsafeGetStorageImpl());
  return made;
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_lazy_clone", TORCH_FN(lazy_clone));
}

} // namespace

} // namespace ipex
