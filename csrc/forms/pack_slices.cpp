// Slices are blocks of rows that are one piece of memory in both layouts.
#include "forms/pack_slices.h"

#include <algorithm>

#include "forms/reorder.h"

namespace ipex::forms {

namespace {

constexpr int64_t kSmallest = int64_t{32} << 20; // bytes; below, holding weights twice for a moment does not matter
constexpr int64_t kSlice = int64_t{4} << 20;

// Rows that share a block in `desc`; 0 when blocks of rows are not one piece.
int64_t rows_per_block(const dnnl::memory::desc& desc) {
  if (desc.get_format_kind() != dnnl::memory::format_kind::blocked || desc.get_submemory_offset() != 0)
    return 0;
  const auto strides = desc.get_strides(), blocks = desc.get_inner_blks(), dims = desc.get_inner_idxs();
  if (*std::max_element(strides.begin(), strides.end()) != strides[0])
    return 0;
  int64_t rows = 1;
  for (size_t i = 0; i < blocks.size(); ++i)
    if (dims[i] == 0)
      rows *= blocks[i];
  return rows;
}

} // namespace

bool pack_in_slices(
    const onednn::Layout& tensor,
    void* src,
    const dnnl::memory::desc& wanted,
    void* dst,
    c10::function_ref<void(size_t, size_t)> used_up) {
  const onednn::Layout all = tensor.with_rank(wanted.get_ndims());
  const auto strides = tensor.strides_ref();
  const int64_t rows = all.sizes[0], block = rows_per_block(wanted);
  const auto itemsize = static_cast<int64_t>(dnnl::memory::data_type_size(all.dtype));
  const int64_t row_bytes = all.strides[0] * itemsize;
  const bool in_rows = tensor.dense() && *std::max_element(strides.begin(), strides.end()) == strides[0];
  if (block == 0 || !in_rows || wanted.get_data_type() != all.dtype || rows * row_bytes < kSmallest)
    return false;
  const int64_t step = std::max<int64_t>(1, kSlice / (row_bytes * block)) * block;
  if (step >= rows)
    return false;
  const auto part = [&](int64_t count) {
    onednn::Layout slice = all;
    slice.sizes[0] = count;
    return slice;
  };
  const auto packed_part = [&](int64_t first, int64_t count) {
    const onednn::Layout slice = part(count);
    dnnl::memory::dims sizes(slice.sizes.begin(), slice.sizes.begin() + slice.rank), offsets(sizes.size(), 0);
    offsets[0] = first;
    return wanted.submemory_desc(sizes, offsets, /*allow_empty=*/true);
  };
  // Whole slices share one kernel, at addresses of their own; the last one lies where its description says.
  const int64_t last = (rows - 1) / step * step, rest = rows - last;
  const auto piece = packed_part(0, step), end = packed_part(last, rest);
  if (!piece || !end)
    return false;
  const int64_t packed_row = wanted.get_strides()[0] / block * itemsize; // a stride is that of a block
  const auto copy = [&](int64_t row, bool back) {
    auto* plain = static_cast<char*>(src) + row * row_bytes;
    auto* packed = static_cast<char*>(dst) + row * packed_row;
    back ? reorder(piece, packed, part(step).desc(), plain) : reorder(part(step).desc(), plain, piece, packed);
  };
  // Both kernels have run before anything is given back: what is left cannot fail for want of one.
  reorder(part(rest).desc(), static_cast<char*>(src) + last * row_bytes, end, dst);
  int64_t done = 0;
  try {
    for (; done < last; done += step) {
      copy(done, false);
      used_up(static_cast<size_t>(done * row_bytes), static_cast<size_t>((done + step) * row_bytes));
    }
  } catch (...) {
    for (int64_t row = 0; row < done; row += step)
      copy(row, true);
    throw;
  }
  return true;
}

} // namespace ipex::forms
