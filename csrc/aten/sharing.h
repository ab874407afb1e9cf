// Shares the memory of an ipex storage with other processes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/visibility.h"

namespace ipex {

struct SharedMemory {
  int fd; // stays owned by the storage
  int64_t nbytes;
};

// Moves the storage of `tensor` into POSIX shared memory, once; the StorageImpl and every tensor on it stay the same.
// Throws E204 when the tensor is not a strided ipex tensor.
IPEX_API SharedMemory share_storage(const at::Tensor& tensor);

// Whether the storage of `tensor` lies in shared memory.
IPEX_API bool is_shared(const at::Tensor& tensor);

} // namespace ipex
