// Memory that is reused: what chunks leave behind waits, with its pages, for the next request.
//
// A model allocates the same sizes again and again, and memory fresh from the system costs a page fault every 4 KiB.
// What waits does not make the process larger than it has lately been: live and waiting bytes stay below the largest
// sum of live chunks (and a small allowance), because the pages of waiting memory go back to the system first.
#pragma once

#include <cstddef>

namespace ipex {

// A chunk of at least `bytes` bytes, aligned to 64. Throws c10::Error when the system has no memory left.
void* acquire_chunk(size_t bytes);

// `bytes` as it was given to acquire_chunk.
void release_chunk(void* chunk, size_t bytes);

// Gives the pages of all waiting memory back to the system.
void release_waiting_chunks();

struct PoolStatistics {
  size_t waiting; // bytes that wait and hold pages
  size_t most; // the largest sum of live and waiting bytes since the last reset
};

PoolStatistics pool_statistics();
void reset_pool_peak();

} // namespace ipex
