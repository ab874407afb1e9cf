// Lock-free counters of an allocator: current, peak and accumulated bytes and blocks.
//
// They use no lock, so a forked child can never inherit a held one.
#pragma once

#include <c10/core/CachingDeviceAllocator.h>

#include <atomic>
#include <cstdint>

namespace ipex {

// One atomic addition per change: what is current is the difference of what was allocated and what was freed.
class MemoryCounter {
 public:
  void increase(int64_t amount) {
    const int64_t allocated = allocated_.fetch_add(amount, std::memory_order_relaxed) + amount;
    const int64_t now = allocated - freed_.load(std::memory_order_relaxed);
    int64_t peak = peak_.load(std::memory_order_relaxed);
    while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
  }

  void decrease(int64_t amount) {
    freed_.fetch_add(amount, std::memory_order_relaxed);
  }

  int64_t current() const {
    const int64_t freed = freed_.load(std::memory_order_relaxed); // first, so that the difference is never negative
    return allocated_.load(std::memory_order_relaxed) - freed;
  }

  void reset_peak() {
    peak_.store(current(), std::memory_order_relaxed);
  }

  // Accumulated amounts count from here on; `current` goes on.
  void reset_accumulated() {
    allocated_before_.store(allocated_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    freed_before_.store(freed_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }

  template <class Stat>
  void write_to(Stat& stat) const {
    stat.current = current();
    stat.peak = peak_.load(std::memory_order_relaxed);
    stat.allocated = allocated_.load(std::memory_order_relaxed) - allocated_before_.load(std::memory_order_relaxed);
    stat.freed = freed_.load(std::memory_order_relaxed) - freed_before_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<int64_t> allocated_{0};
  std::atomic<int64_t> freed_{0};
  std::atomic<int64_t> peak_{0};
  std::atomic<int64_t> allocated_before_{0};
  std::atomic<int64_t> freed_before_{0};
};

struct MemoryStatistics {
  MemoryCounter bytes;
  MemoryCounter blocks;
  std::atomic<int64_t> out_of_memory{0};

  void on_allocate(size_t size) {
    bytes.increase(static_cast<int64_t>(size));
    blocks.increase(1);
  }

  void on_free(size_t size) {
    bytes.decrease(static_cast<int64_t>(size));
    blocks.decrease(1);
  }

  void reset_peak() {
    bytes.reset_peak();
    blocks.reset_peak();
  }

  void reset_accumulated() {
    bytes.reset_accumulated();
    blocks.reset_accumulated();
  }
};

} // namespace ipex
