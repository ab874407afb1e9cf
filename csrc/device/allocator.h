// The device allocator: 64-byte aligned host memory, counted and reused (forms/block.h has the memory itself).
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/CachingDeviceAllocator.h>

#include "core/visibility.h"

namespace ipex {

c10::DeviceAllocator& device_allocator();

// Gives memory that waits for reuse, and free pages of the C heap, back to the system; returns whether any were.
IPEX_API bool trim_memory();

} // namespace ipex
