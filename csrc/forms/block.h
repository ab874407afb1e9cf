// Block: one piece of device memory with the header that every ipex storage reaches through its DataPtr.
//
// The header is where a storage's Form hangs (form.h). Two kinds, told apart by the DataPtr's deleter:
//   own       header and values are one allocation, and context == data, as PyTorch's copy-on-write storages require
//   adopted   the values were allocated by a CPU kernel; the header is separate and is the DataPtr's context
#pragma once

#include <c10/core/Allocator.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/visibility.h"

namespace ipex {
struct MemoryStatistics;
}

namespace ipex::forms {

class Form;

struct alignas(64) Block {
  void* data = nullptr; // the values; in an own block, right behind the header
  size_t counted = 0; // bytes in the statistics; of an own block, those of the allocation
  std::atomic<Form*> form{nullptr}; // null until the storage gets a physical form or a cache; stays afterwards
  std::atomic<int32_t> aliases{0}; // CPU tensors and foreign libraries that see the memory now
};

// Memory for `nbytes` bytes of values, aligned to 64 bytes. Throws E201 when there is none.
c10::DataPtr allocate(size_t nbytes);

// A block without values: for a storage whose values lie elsewhere.
c10::DataPtr allocate_header();

// Makes `data` memory of the ipex device: marks it so and, when it came from PyTorch's default CPU allocator, takes
// over its release and counts it. Memory of other owners (a file mapping, NumPy) keeps its own release and is not
// counted.
void adopt(c10::DataPtr& data);

// The deleter of own blocks.
void release_own(void* data);

// The block behind `data`; null for memory of other owners, for very small adopted memory and for no memory at all.
Block* block_of(const c10::DataPtr& data);

MemoryStatistics& statistics();

} // namespace ipex::forms
