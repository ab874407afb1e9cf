// Allocation, adoption and release of blocks, with statistics and the profiler's memory events.
#include "forms/block.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <malloc.h>

#include <atomic>

#include "core/device.h"
#include "core/host_memory.h"
#include "core/memory_pool.h"
#include "core/memory_statistics.h"
#include "forms/form.h"

namespace ipex::forms {

namespace {

// Adopted memory below this size gets no header: nothing that small is worth a cache, and CPU results should cost
// little.
constexpr size_t kSmallestAdoptedBlock = 1024;

void report_to_profiler(void* data, int64_t change) {
  const auto total = static_cast<size_t>(statistics().bytes.current());
  c10::reportMemoryUsageToProfiler(data, change, total, total, kDevice);
}

void count_allocation(void* data, size_t size) {
  statistics().on_allocate(size);
  if (C10_UNLIKELY(c10::memoryProfilingEnabled()))
    report_to_profiler(data, static_cast<int64_t>(size));
}

void count_release(void* data, size_t size) {
  statistics().on_free(size);
  if (C10_UNLIKELY(c10::memoryProfilingEnabled()))
    report_to_profiler(data, -static_cast<int64_t>(size));
}

Block* own_block(void* data) {
  return reinterpret_cast<Block*>(static_cast<char*>(data) - sizeof(Block));
}

void release_form(Block* block) {
  Form* form = block->form.load(std::memory_order_acquire);
  if (C10_UNLIKELY(form != nullptr && form->owner == block))
    form->release();
}

void release_adopted(void* context) {
  auto* block = static_cast<Block*>(context);
  release_form(block);
  count_release(block->data, block->counted);
  c10::free_cpu(block->data);
  delete block;
}

// Adopted memory without a header.
void release_small(void* data) {
  count_release(data, malloc_usable_size(data));
  c10::free_cpu(data);
}

// Memory for a block with `nbytes` bytes of values.
void* acquire(size_t nbytes) {
  try {
    return acquire_chunk(nbytes + sizeof(Block)); // its only way to report exhaustion is to throw
  } catch (const c10::Error&) {
    statistics().out_of_memory.fetch_add(1, std::memory_order_relaxed);
    const auto current = statistics().bytes.current();
    c10::reportOutOfMemoryToProfiler(static_cast<int64_t>(nbytes), current, current, kDevice);
    raise(
        ErrorCode::E201,
        "allocate",
        c10::str(
            "tried to allocate ",
            nbytes,
            " bytes; ",
            current,
            " bytes are allocated on ipex, ",
            meminfo("MemAvailable"),
            " bytes are available on this machine"));
  }
}

c10::DataPtr make_block(void* memory, size_t nbytes) {
  auto* block = new (memory) Block();
  block->data = block + 1;
  block->counted = nbytes + sizeof(Block);
  count_allocation(block->data, block->counted);
  return {block->data, block->data, &release_own, kDevice};
}

} // namespace

// Never destroyed: tensors of static duration may be released after it would have been.
MemoryStatistics& statistics() {
  static auto* instance = new MemoryStatistics();
  return *instance;
}

c10::DataPtr allocate(size_t nbytes) {
  if (nbytes == 0)
    return {nullptr, nullptr, &release_own, kDevice};
  return make_block(acquire(nbytes), nbytes);
}

c10::DataPtr allocate_header() {
  return make_block(acquire(0), 0);
}

void release_own(void* data) {
  if (data == nullptr)
    return;
  Block* block = own_block(data);
  release_form(block);
  const size_t bytes = block->counted;
  count_release(data, bytes);
  block->~Block();
  release_chunk(block, bytes);
}

void adopt(c10::DataPtr& data) {
  static const c10::DeleterFnPtr cpu_deleter = c10::GetDefaultCPUAllocator()->raw_deleter();
  data.unsafe_set_device(kDevice);
  if (data.get() == nullptr || data.get_context() != data.get() || data.get_deleter() != cpu_deleter)
    return;
  if (C10_UNLIKELY(c10::memoryProfilingEnabled()))
    c10::profiledCPUMemoryReporter().Delete(data.get());
  void* bytes = data.get();
  const size_t size = malloc_usable_size(bytes);
  if (size < kSmallestAdoptedBlock) {
    (void)data.compare_exchange_deleter(cpu_deleter, &release_small);
  } else {
    auto* block = new Block();
    block->data = bytes;
    block->counted = size;
    data.release_context();
    data = c10::DataPtr(bytes, block, &release_adopted, kDevice);
  }
  count_allocation(bytes, size);
}

// Form::reseat may write `data` meanwhile, word by word: adopted memory then has no context for a moment.
Block* block_of(const c10::DataPtr& data) {
  constexpr int kTries = 1 << 16; // it has none for good where somebody moved it away
  for (int tries = 0; tries < kTries; ++tries) {
    const c10::DeleterFnPtr deleter = data.get_deleter();
    if (C10_LIKELY(deleter == &release_own))
      return data.get() ? own_block(data.get()) : nullptr;
    if (deleter != &release_adopted)
      return nullptr;
    if (void* block = data.get_context())
      return static_cast<Block*>(block);
    std::atomic_signal_fence(std::memory_order_seq_cst); // read it again
  }
  return nullptr;
}

} // namespace ipex::forms
