// The one door to the plain bytes of an ipex storage, for reads and for writes.
//
// Kernels that can do with another order of dimensions use operand.h instead.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/StorageImpl.h>

#include "core/visibility.h"

namespace ipex {

namespace forms {

// read_bytes for storages with a materializer. Without a pin, weights keep their plain bytes for good.
const void* read_watched_bytes(c10::StorageImpl& storage);

// write_bytes for them.
IPEX_API void* write_watched_bytes(c10::StorageImpl& storage);

} // namespace forms

// The plain bytes of `storage` for writing: shared (copy-on-write) bytes are copied first, packed copies and physical
// forms are dropped.
inline void* write_bytes(c10::StorageImpl& storage) {
  return C10_LIKELY(!storage.has_materializer()) ? storage.mutable_data() : forms::write_watched_bytes(storage);
}

// The plain bytes of `storage` for reading. Copy-on-write bytes stay shared, packed copies and physical forms stay.
inline void* read_bytes(c10::StorageImpl& storage) {
  if (C10_LIKELY(!storage.has_materializer()))
    return storage.mutable_data();
  return const_cast<void*>(forms::read_watched_bytes(storage));
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
