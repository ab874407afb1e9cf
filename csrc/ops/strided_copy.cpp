// Strided copies: dimensions that run together are joined, adjacent elements go by memcpy.
#include "ops/strided_copy.h"
#include "core/profile.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace ipex::ops {

namespace {

constexpr int kMaxRank = 6;

struct Dimension {
  int64_t size, src, dst;
};

template <class T>
void copy_elements(const char* src, int64_t src_stride, char* dst, int64_t dst_stride, int64_t count) {
  const T* from = reinterpret_cast<const T*>(src);
  T* to = reinterpret_cast<T*>(dst);
  for (int64_t i = 0; i < count; ++i)
    to[i * dst_stride] = from[i * src_stride];
}

void copy_row(const char* src, char* dst, const Dimension& row, int64_t count, int64_t itemsize) {
  if (row.src == 1 && row.dst == 1)
    std::memcpy(dst, src, count * itemsize);
  else if (itemsize == 4)
    copy_elements<uint32_t>(src, row.src, dst, row.dst, count);
  else if (itemsize == 2)
    copy_elements<uint16_t>(src, row.src, dst, row.dst, count);
  else if (itemsize == 8)
    copy_elements<uint64_t>(src, row.src, dst, row.dst, count);
  else
    copy_elements<uint8_t>(src, row.src, dst, row.dst, count);
}

} // namespace

void StridedCopy::run() const {
  std::array<Dimension, kMaxRank> dims;
  int rank = 0;
  for (size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] != 1)
      dims[rank++] = {sizes[i], src_strides[i], dst_strides[i]};
  std::stable_sort(
      dims.begin(), dims.begin() + rank, [](const Dimension& a, const Dimension& b) { return a.dst > b.dst; });
  int joined = 0;
  for (int i = 0; i < rank; ++i) {
    Dimension* last = joined ? &dims[joined - 1] : nullptr;
    if (last && last->src == dims[i].src * dims[i].size && last->dst == dims[i].dst * dims[i].size)
      *last = {last->size * dims[i].size, dims[i].src, dims[i].dst};
    else
      dims[joined++] = dims[i];
  }
  if (joined == 0)
    dims[joined++] = {1, 1, 1};
  rank = joined;
  int64_t elements = 1;
  for (int i = 0; i < rank; ++i)
    elements *= dims[i].size;
  const profile::Kernel profiled("copy");
  at::parallel_for(0, elements, 32768 / itemsize, [&](int64_t begin, int64_t end) {
    std::array<int64_t, kMaxRank> index{};
    for (int64_t dim = rank - 1, rest = begin; dim >= 0; rest /= dims[dim].size, --dim)
      index[dim] = rest % dims[dim].size;
    while (begin < end) {
      int64_t from = 0, to = 0;
      for (int dim = 0; dim < rank; ++dim) {
        from += index[dim] * dims[dim].src;
        to += index[dim] * dims[dim].dst;
      }
      const Dimension& row = dims[rank - 1];
      const int64_t count = std::min(end - begin, row.size - index[rank - 1]);
      copy_row(
          static_cast<const char*>(src) + from * itemsize,
          static_cast<char*>(dst) + to * itemsize,
          row,
          count,
          itemsize);
      begin += count;
      index[rank - 1] = 0;
      for (int dim = rank - 2; dim >= 0 && ++index[dim] == dims[dim].size; --dim)
        index[dim] = 0;
    }
  });
}

} // namespace ipex::ops
