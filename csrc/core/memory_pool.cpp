// A heap of spans under one lock, and how much of its free memory may stay resident.
#include "core/memory_pool.h"

#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>
#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <mutex>

#include "core/faults.h"
#include "core/memory_spans.h"

namespace ipex {

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr size_t kSmallest = SIZE_MAX; // AddressSanitizer sees bounds and release of what malloc gave
#else
constexpr size_t kSmallest = 4096; // below it malloc has its own caches
#endif
// Free resident bytes beyond what was alive at once, for rounding and holes: these, or this share of it. Holes take
// about as much in every step of a program, so giving them back only costs the faults of touching them again (MobileNetV3
// with 16 images: 130 ms with a quarter, 90 with a half); the limit is for programs whose steps differ.
constexpr size_t kAllowance = size_t{8} << 20;
constexpr int kAllowanceShare = 2;
// A model that moves here leaves holes in the C heap, which cannot be reused for its copy: they go back to the system
// each time memory has grown by this and this share of it.
constexpr size_t kTrimStep = size_t{4} << 20;
constexpr int kTrimShare = 16;
constexpr int kWindow = 1 << 16; // requests; "at once" means within this window and the one before

class Pool {
 public:
  void* acquire(size_t bytes) {
    std::unique_lock lock(mutex_);
    void* chunk = spans_.acquire(bytes);
    if (chunk == nullptr) {
      spans_.purge(0); // segments without any chunk go back: it may be enough then
      chunk = spans_.acquire(bytes);
      TORCH_CHECK(chunk != nullptr, "no memory for ", bytes, " bytes"); // forms::allocate() says more
    }
    live_ += SpanHeap::span_bytes(chunk);
    if (++requests_ == kWindow) {
      requests_ = 0;
      most_live_before_ = most_live_;
      most_live_ = live_;
    }
    most_live_ = std::max(most_live_, live_);
    purge_excess();
    most_ = std::max(most_, live_ + spans_.free_resident());
    if (most_live_ > trimmed_at_ + trimmed_at_ / kTrimShare + kTrimStep) {
      trimmed_at_ = most_live_;
      lock.unlock();
      malloc_trim(0);
    }
    return chunk;
  }

  void release(void* chunk) {
    const std::lock_guard lock(mutex_);
    live_ -= SpanHeap::span_bytes(chunk);
    spans_.release(chunk);
    purge_excess();
  }

  void release_waiting() {
    const std::lock_guard lock(mutex_);
    spans_.purge(0);
    most_live_ = trimmed_at_ = live_;
    most_live_before_ = 0;
  }

  PoolStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return {spans_.free_resident(), most_};
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    most_ = live_ + spans_.free_resident();
  }

  std::mutex& mutex() {
    return mutex_;
  }

 private:
  void purge_excess() {
    const size_t most_live = std::max(most_live_, most_live_before_);
    const size_t accepted = most_live + std::max(kAllowance, most_live / kAllowanceShare) - live_;
    if (spans_.free_resident() > accepted)
      spans_.purge(accepted);
  }

  std::mutex mutex_;
  SpanHeap spans_;
  size_t live_ = 0; // bytes of the chunks in use
  size_t most_live_ = 0; // in this window
  size_t most_live_before_ = 0; // in the window before
  int requests_ = 0; // in this window
  size_t most_ = 0;
  size_t trimmed_at_ = 0; // most_live_ when the C heap was last trimmed
};

// Never destroyed: tensors of static duration may be released after it would have been.
Pool& pool() {
  static auto* instance = [] {
    static auto* made = new Pool();
    // The child of a fork must not inherit a lock that a thread of the parent holds.
    pthread_atfork([] { made->mutex().lock(); }, [] { made->mutex().unlock(); }, [] { made->mutex().unlock(); });
    return made;
  }();
  return *instance;
}

} // namespace

void* acquire_chunk(size_t bytes) {
  TORCH_CHECK(!faults::strikes(faults::Site::kAllocation), "no memory for ", bytes, " bytes, on purpose");
  return bytes < kSmallest ? c10::alloc_cpu(bytes) : pool().acquire(bytes);
}

void release_chunk(void* chunk, size_t bytes) {
  if (bytes < kSmallest)
    c10::free_cpu(chunk);
  else
    pool().release(chunk);
}

void release_waiting_chunks() {
  pool().release_waiting();
}

PoolStatistics pool_statistics() {
  return pool().statistics();
}

void reset_pool_peak() {
  pool().reset_peak();
}

} // namespace ipex
