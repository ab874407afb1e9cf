// The same tensor on the other backend: storages and tensors of CPU over memory of ipex, and of ipex over memory of CPU.
#pragma once

#include <ATen/core/Tensor.h>

namespace ipex {

// The dispatch keys of a CPU tensor for those of an ipex tensor, and the other way round. Python keys are dropped: what is made
// has no Python object to dispatch to.
c10::DispatchKeySet to_cpu(c10::DispatchKeySet keys);
c10::DispatchKeySet to_device(c10::DispatchKeySet keys);

// Deleter of DataPtrs whose context is a StorageImpl that they keep alive.
void release_aliased(void* context);

// A storage over `data`, memory of `owner`, which it keeps alive.
c10::intrusive_ptr<c10::StorageImpl> alias_storage(
    c10::StorageImpl* owner,
    void* data,
    c10::Device device,
    c10::Allocator* allocator,
    c10::DeleterFnPtr release = &release_aliased);

// A tensor that lies in `storage` as the strided tensor `from` lies in its own.
at::Tensor remake_strided(const at::Tensor& from, c10::Storage storage, c10::DispatchKeySet keys);

// An ipex tensor that lies in `storage`, on ipex, perhaps of another dtype, as `tensor`, on CPU, lies in its own.
at::Tensor on_device_as(
    const at::Tensor& tensor,
    const c10::Storage& storage,
    std::optional<at::ScalarType> dtype = std::nullopt);

} // namespace ipex
