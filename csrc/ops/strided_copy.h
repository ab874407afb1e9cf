// Copies values of any type between strided operands.
#pragma once

#include <c10/util/ArrayRef.h>

#include <cstdint>

namespace ipex::ops {

struct StridedCopy {
  c10::IntArrayRef sizes; // at most 6 dimensions, all positive
  const void* src;
  c10::IntArrayRef src_strides; // in elements
  void* dst;
  c10::IntArrayRef dst_strides;
  int64_t itemsize; // 1, 2, 4 or 8 bytes

  // On all threads, in the order of memory of `dst`.
  void run() const;
};

} // namespace ipex::ops
