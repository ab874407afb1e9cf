// Memory that is reused: freed chunks wait in lists by size class for the next request of their class.
//
// A model allocates the same sizes again and again, and memory fresh from the system costs a page fault every 4 KiB.
// What waits never makes the process larger than it has been: live plus waiting chunks stay below the largest sum of
// live chunks so far (and a small allowance), because waiting chunks go back to the C heap first.
#pragma once

#include <cstddef>

namespace ipex {

// A chunk of at least `bytes` bytes, aligned to 64; `capacity` is its true size, to be given to release_chunk.
// Throws c10::Error when the system has no memory left.
void* acquire_chunk(size_t bytes, size_t& capacity);

void release_chunk(void* chunk, size_t capacity);

// Gives every waiting chunk back to the C heap.
void release_waiting_chunks();

struct PoolStatistics {
  size_t waiting; // bytes of the chunks that wait
  size_t most; // the largest sum of live and waiting chunks since the last reset
};

PoolStatistics pool_statistics();
void reset_pool_peak();

} // namespace ipex
