// Checks indices and copies, in parallel over the rows of the result.
#include "ops/rows_copy.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "core/profile.h"
#include "core/target_clones.h"
#include "forms/storage.h"

namespace ipex::ops {

namespace {

constexpr int64_t kGrain = 65536; // bytes per thread at least

// Unsigned, a negative index is larger than any count.
IPEX_TARGET_CLONES bool within_64(const int64_t* indices, int64_t size, uint64_t count) {
  bool bad = false;
  for (int64_t i = 0; i < size; ++i)
    bad |= static_cast<uint64_t>(indices[i]) >= count;
  return !bad;
}

IPEX_TARGET_CLONES bool within_32(const int32_t* indices, int64_t size, uint64_t count) {
  bool bad = false;
  for (int64_t i = 0; i < size; ++i)
    bad |= static_cast<uint64_t>(static_cast<int64_t>(indices[i])) >= count;
  return !bad;
}

} // namespace

Indices::Indices(const at::Tensor& indices, int64_t count) {
  if (indices.layout() != at::kStrided || indices.is_nested() ||
      (indices.scalar_type() != at::kLong && indices.scalar_type() != at::kInt))
    return;
  owner_ = indices.contiguous();
  data_ = read_bytes(owner_);
  size_ = owner_.numel();
  wide_ = owner_.scalar_type() == at::kLong;
  valid_ = wide_ ? within_64(static_cast<const int64_t*>(data_), size_, count)
                 : within_32(static_cast<const int32_t*>(data_), size_, count);
}

void copy_rows(
    const void* src,
    void* dst,
    const Indices& indices,
    int64_t outer,
    size_t bytes,
    size_t src_stride,
    size_t src_block) {
  const auto* from = static_cast<const char*>(src);
  auto* to = static_cast<char*>(dst);
  const int64_t grain = std::max<int64_t>(1, kGrain / static_cast<int64_t>(std::max<size_t>(bytes, 1)));
  const profile::Kernel profiled("copy_rows");
  at::parallel_for(0, outer * indices.size(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t block = row / indices.size(), index = indices[row - block * indices.size()];
      std::memcpy(to + row * bytes, from + block * src_block + index * src_stride, bytes);
    }
  });
}

} // namespace ipex::ops
