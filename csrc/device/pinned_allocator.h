// Pinned host memory: page-aligned blocks that `Tensor.is_pinned()` recognises.
#pragma once

#include <ATen/core/CachingHostAllocator.h>

namespace ipex {

at::HostAllocator& pinned_allocator();

// Whether `data` points into a block of the pinned allocator.
bool is_pinned(const void* data);

} // namespace ipex
