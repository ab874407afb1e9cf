// SpanHeap: memory in spans that split and join, in segments that come from the system and go back to it.
//
// Free spans lie in bins by size (two-level segregated fit: M. Masmano et al., "TLSF: a new dynamic memory allocator
// for real-time systems", ECRTS 2004), so a request finds a close fit in constant time and a freed span joins its free
// neighbours. A model's activations then need little more memory than are alive at once, whatever their sizes.
// What no span uses can lose its pages without losing its place: purge() gives them back to the system.
// Not thread-safe: core/memory_pool.cpp has the lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ipex {

class SpanHeap {
 public:
  // At least `bytes` bytes aligned to 64; null when the system has no memory left.
  void* acquire(size_t bytes);

  // `chunk` came from acquire().
  void release(void* chunk);

  // What a chunk takes, its header and rounding included.
  static size_t span_bytes(void* chunk);

  // Bytes of free spans that hold pages, as far as known.
  size_t free_resident() const {
    return free_resident_;
  }

  // Gives pages of free spans back to the system, of the largest spans first, until at most `accepted` bytes of them
  // are resident.
  void purge(size_t accepted);

 private:
  struct Span;

  static constexpr int kStepsLog2 = 4; // bins per doubling of the size
  static constexpr int kSteps = 1 << kStepsLog2;
  static constexpr int kLevels = 48;

  struct Bin {
    int level, step;
  };

  static Bin bin_of(size_t bytes);
  Span* find(size_t bytes);
  Span* first_at_or_above(Bin bin) const;
  bool add_segment(size_t bytes);
  void unlink(Span* span);
  void link(Span* span);
  void split(Span* span, size_t bytes);
  void give_back(Span* span);

  std::array<std::array<Span*, kSteps>, kLevels> bins_{};
  std::array<uint32_t, kLevels> steps_used_{}; // per level, which bins hold spans
  uint64_t levels_used_ = 0;
  size_t free_resident_ = 0;
};

} // namespace ipex
