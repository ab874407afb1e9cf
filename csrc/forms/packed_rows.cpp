// Addresses in oneDNN's blocked layouts: each dimension adds its own part, of blocks and of the place within them.
#include "forms/packed_rows.h"

#include <cstring>

#include "forms/block.h"

namespace ipex::forms {

namespace {

template <class Element>
void gather(const void* src, int64_t first, const std::vector<int64_t>& offsets, void* dst) {
  const auto* from = static_cast<const Element*>(src) + first;
  auto* to = static_cast<Element*>(dst);
  for (size_t i = 0; i < offsets.size(); ++i)
    to[i] = from[offsets[i]];
}

} // namespace

std::optional<PackedRows> PackedRows::of(const at::Tensor& matrix) {
  c10::StorageImpl& storage = *matrix.storage().unsafeGetStorageImpl();
  if (!storage.has_materializer())
    return std::nullopt;
  Form* form = Form::of(storage);
  if (form == nullptr)
    return std::nullopt;
  const Form::Lock lock(*form);
  if (form->plain || form->physical)
    return std::nullopt;
  const int64_t columns = matrix.size(1);
  for (const Packed& copy : form->packed) {
    if (!copy.whole || copy.tensor.rank != 2 || copy.desc.get_format_kind() != dnnl::memory::format_kind::blocked ||
        copy.desc.get_submemory_offset() != 0)
      continue;
    // The copy's dimensions are those of the matrix, or exchanged.
    const auto sizes = copy.tensor.sizes_ref(), strides = copy.tensor.strides_ref();
    for (const int row_dim : {0, 1})
      if (sizes[row_dim] == matrix.size(0) && sizes[1 - row_dim] == columns && strides[row_dim] == columns &&
          strides[1 - row_dim] == 1)
        return PackedRows(copy.buffer, copy.desc, row_dim, columns, matrix.itemsize());
  }
  return std::nullopt;
}

PackedRows::PackedRows(
    std::shared_ptr<const Buffer> buffer,
    dnnl::memory::desc desc,
    int row_dim,
    int64_t columns,
    size_t itemsize)
    : buffer_(std::move(buffer)),
      strides_(desc.get_strides()),
      blocks_(desc.get_inner_blks()),
      block_dims_(desc.get_inner_idxs()),
      row_dim_(row_dim),
      itemsize_(itemsize),
      columns_(columns) {
  for (int64_t column = 0; column < columns; ++column)
    columns_[column] = offset(1 - row_dim, column);
}

int64_t PackedRows::offset(int dim, int64_t index) const {
  int64_t place = 0, block = 1;
  for (size_t i = blocks_.size(); i-- > 0; block *= blocks_[i]) {
    if (block_dims_[i] != dim)
      continue;
    place += index % blocks_[i] * block;
    index /= blocks_[i];
  }
  return place + index * strides_[dim];
}

void PackedRows::copy(int64_t row, void* dst) const {
  const int64_t first = offset(row_dim_, row);
  if (itemsize_ == 4)
    gather<uint32_t>(buffer_->data.get(), first, columns_, dst);
  else
    gather<uint16_t>(buffer_->data.get(), first, columns_, dst);
}

} // namespace ipex::forms
