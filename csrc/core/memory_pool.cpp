// Free lists by size class under one lock; small chunks are the C heap's business.
#include "core/memory_pool.h"

#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <vector>

namespace ipex {

namespace {

constexpr size_t kSmallest = 4096; // below it malloc has its own caches
constexpr size_t kAllowance = size_t{8} << 20; // waiting bytes that are always fine
constexpr int kStepsLog2 = 3; // size classes per doubling: at most an eighth of a chunk is never touched
constexpr size_t kClasses = size_t{64} << kStepsLog2;

// Rounds up to a size class.
size_t class_bytes(size_t bytes) {
  const int shift = std::bit_width(bytes - 1) - 1 - kStepsLog2;
  const size_t step = size_t{1} << (shift > 6 ? shift : 6);
  return (bytes + step - 1) & ~(step - 1);
}

size_t class_index(size_t bytes) {
  const int shift = std::bit_width(bytes - 1) - 1 - kStepsLog2;
  return (static_cast<size_t>(shift) << kStepsLog2) + ((bytes - 1) >> shift) - (size_t{1} << kStepsLog2);
}

class Pool {
 public:
  void* acquire(size_t capacity) {
    std::unique_lock lock(mutex_);
    live_ += capacity;
    most_live_ = std::max(most_live_, live_);
    auto& waiting = waiting_[class_index(capacity)];
    if (!waiting.empty()) {
      void* chunk = waiting.back(); // the last one freed: most likely still in a cache
      waiting.pop_back();
      waiting_bytes_ -= capacity;
      return chunk;
    }
    const std::vector<void*> excess = take_excess();
    most_ = std::max(most_, live_ + waiting_bytes_);
    lock.unlock();
    free_all(excess);
    try {
      return c10::alloc_cpu(capacity);
    } catch (const c10::Error&) {
      release_waiting(); // it may be enough then; if not, the caller is told
      try {
        return c10::alloc_cpu(capacity);
      } catch (const c10::Error&) {
        lock.lock();
        live_ -= capacity;
        throw;
      }
    }
  }

  void release(void* chunk, size_t capacity) {
    std::unique_lock lock(mutex_);
    live_ -= capacity;
    waiting_bytes_ += capacity;
    waiting_[class_index(capacity)].push_back(chunk);
    if (live_ + waiting_bytes_ <= most_live_ + kAllowance)
      return;
    const std::vector<void*> excess = take_excess();
    lock.unlock();
    free_all(excess);
  }

  void release_waiting() {
    std::vector<void*> all;
    {
      const std::lock_guard lock(mutex_);
      for (auto& waiting : waiting_) {
        all.insert(all.end(), waiting.begin(), waiting.end());
        waiting.clear();
      }
      waiting_bytes_ = 0;
      most_live_ = live_;
    }
    free_all(all);
  }

  PoolStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return {waiting_bytes_, most_};
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    most_ = live_ + waiting_bytes_;
  }

  std::mutex& mutex() {
    return mutex_;
  }

 private:
  // Takes chunks out until the rest may wait: from the largest class down, since few large ones free most.
  std::vector<void*> take_excess() {
    std::vector<void*> excess;
    for (size_t index = kClasses; index-- > 0 && live_ + waiting_bytes_ > most_live_ + kAllowance;) {
      auto& waiting = waiting_[index];
      while (!waiting.empty() && live_ + waiting_bytes_ > most_live_ + kAllowance) {
        excess.push_back(waiting.front()); // the one that has waited longest
        waiting.erase(waiting.begin());
        waiting_bytes_ -= bytes_of(index);
      }
    }
    return excess;
  }

  static size_t bytes_of(size_t index) {
    const size_t shift = index >> kStepsLog2;
    return ((index & ((size_t{1} << kStepsLog2) - 1)) + (size_t{1} << kStepsLog2) + 1) << shift;
  }

  static void free_all(const std::vector<void*>& chunks) {
    for (void* chunk : chunks)
      c10::free_cpu(chunk);
  }

  std::mutex mutex_;
  std::array<std::vector<void*>, kClasses> waiting_;
  size_t waiting_bytes_ = 0;
  size_t live_ = 0; // bytes of the chunks in use that came from here
  size_t most_live_ = 0;
  size_t most_ = 0;
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

void* acquire_chunk(size_t bytes, size_t& capacity) {
  if (bytes < kSmallest) {
    capacity = bytes;
    return c10::alloc_cpu(bytes);
  }
  capacity = class_bytes(bytes);
  return pool().acquire(capacity);
}

void release_chunk(void* chunk, size_t capacity) {
  if (capacity < kSmallest)
    c10::free_cpu(chunk);
  else
    pool().release(chunk, capacity);
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
