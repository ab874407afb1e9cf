// Copies rows of bytes that indices choose: embedding and index_select.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/visibility.h"

namespace ipex::ops {

// The plain values of `indices`, if they are int32 or int64, adjacent in memory and in [0, count).
class Indices {
 public:
  Indices(const at::Tensor& indices, int64_t count);

  bool valid() const {
    return valid_;
  }
  int64_t size() const {
    return size_;
  }
  int64_t operator[](int64_t i) const {
    return wide_ ? static_cast<const int64_t*>(data_)[i] : static_cast<const int32_t*>(data_)[i];
  }

 private:
  at::Tensor owner_;
  const void* data_ = nullptr;
  int64_t size_ = 0;
  bool wide_ = false;
  bool valid_ = false;
};

// For each of `outer` blocks: row i of dst = row indices[i] of src. Rows are `bytes` long; those of src lie `src_stride`
// bytes apart, its blocks `src_block`; dst is adjacent.
void copy_rows(
    const void* src,
    void* dst,
    const Indices& indices,
    int64_t outer,
    size_t bytes,
    size_t src_stride,
    size_t src_block);

} // namespace ipex::ops
