// The one door to the bytes of an ipex storage, for reads and for writes.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/StorageImpl.h>
#include <c10/core/impl/COW.h>

namespace ipex {

// The bytes of `storage` for writing: shared (copy-on-write) bytes are copied first.
inline void* write_bytes(c10::StorageImpl& storage) {
  return storage.mutable_data();
}

// The bytes of `storage` for reading. Copy-on-write bytes stay shared; any other materializer runs, because what it
// guards is not plain yet.
inline void* read_bytes(c10::StorageImpl& storage) {
  if (C10_LIKELY(!storage.has_materializer()))
    return storage.mutable_data();
  auto& data = storage._mutable_data_ptr_no_checks();
  return c10::impl::cow::is_cow_data_ptr(data) ? const_cast<void*>(data.get()) : storage.mutable_data();
}

// The first element of `tensor`, for a kernel that writes it.
inline void* write_bytes(const at::Tensor& tensor) {
  auto* first = static_cast<char*>(write_bytes(*tensor.storage().unsafeGetStorageImpl()));
  return first + tensor.storage_offset() * static_cast<int64_t>(tensor.itemsize());
}

// The first element of `tensor`, for a kernel that only reads it.
inline const void* read_bytes(const at::Tensor& tensor) {
  auto* first = static_cast<const char*>(read_bytes(*tensor.storage().unsafeGetStorageImpl()));
  return first + tensor.storage_offset() * static_cast<int64_t>(tensor.itemsize());
}

} // namespace ipex
