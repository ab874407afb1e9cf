// The memory of an ipex storage, when other processes shall see it: it belongs to a CPU storage, which PyTorch can send.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/visibility.h"

namespace ipex {

// A CPU tensor over the whole CPU storage that owns the memory of `tensor`; nothing when the memory is its own. Throws E204
// when the tensor is not a strided ipex tensor.
IPEX_API std::optional<at::Tensor> owner_of_memory(const at::Tensor& tensor);

// Moves the values of `tensor`'s storage into the storage of `target`, a CPU tensor with as many bytes, which owns them from
// then on; the StorageImpl and every tensor on it stay the same. Throws E204 when somebody else sees the old memory.
IPEX_API void move_memory(const at::Tensor& tensor, const at::Tensor& target);

// Whether shared memory is known by a file descriptor, not by a name.
IPEX_API bool has_descriptor(const at::Tensor& owner);

} // namespace ipex
