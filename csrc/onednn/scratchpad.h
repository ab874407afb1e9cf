// The calling thread's work memory for primitives, reused from call to call.
#pragma once

#include <cstddef>

namespace ipex::onednn {

// At least `bytes` bytes, aligned to a cache line, valid until the next call in this thread. It grows, and shrinks
// when a much smaller request follows a very large one, so one unusual call does not hold its memory for good.
void* scratchpad(size_t bytes);

} // namespace ipex::onednn
