// Tensors of users over memory of the other device: as_cpu and from_cpu. They live as long as the user likes.
//
// While a CPU tensor sees the memory of an ipex storage, that storage keeps no packed copies: it could not see them change.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/visibility.h"

namespace ipex {

// The storage whose memory `storage` aliases (a twin, as_cpu, from_cpu); null when it owns its memory.
c10::StorageImpl* aliased_storage(c10::StorageImpl& storage);

// A CPU tensor over the memory of an ipex tensor, for as long as the user likes. Strided tensors only (E104).
IPEX_API at::Tensor as_cpu(const at::Tensor& tensor);

// Whether a CPU tensor of as_cpu, or a foreign library that got one, sees the memory of the ipex `storage` now.
bool has_cpu_alias(c10::StorageImpl& storage);

// An ipex tensor over the memory of a CPU tensor, which it keeps alive. Strided tensors only (E104).
IPEX_API at::Tensor from_cpu(const at::Tensor& tensor);

// The same for reading only: the observer of aliases is not told.
at::Tensor borrow_cpu(const at::Tensor& tensor);

// The observer is told the storages of CPU tensors that a tensor of from_cpu may write from now on.
void set_alias_observer(void (*observer)(c10::StorageImpl&));

} // namespace ipex
