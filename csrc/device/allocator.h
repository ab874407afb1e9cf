// The device allocator: 64-byte aligned host memory, counted, including memory that CPU kernels hand over.
//
// A block's size is what malloc_usable_size says, at allocation and at release alike, so blocks need no header and
// memory from PyTorch's CPU allocator can be adopted by exchanging its deleter.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/CachingDeviceAllocator.h>

#include "core/visibility.h"

namespace ipex {

c10::DeviceAllocator& device_allocator();

// Makes `data` memory of the ipex device: marks it so and, when it came from PyTorch's default CPU allocator, takes
// over its release and counts it. Memory of other owners (a file mapping, NumPy) keeps its own release and is not
// counted.
void adopt(c10::DataPtr& data);

// Gives free pages of the C heap back to the system; returns whether any were.
IPEX_API bool trim_memory();

} // namespace ipex
