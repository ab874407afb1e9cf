// Reading rows of a matrix that is there as a packed copy only: an embedding table that is the weight of a linear, too.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <vector>

#include "forms/form.h"

namespace ipex::forms {

// Where the elements of a matrix are in its packed copy: row r, column c is at rows(r) + columns[c], in elements.
class PackedRows {
 public:
  // Nothing when the plain bytes of `matrix` (contiguous, all of its storage) are there, or no copy holds them all.
  static std::optional<PackedRows> of(const at::Tensor& matrix);

  // Copies row `row` to `dst`. Thread-safe.
  void copy(int64_t row, void* dst) const;

 private:
  PackedRows(
      std::shared_ptr<const Buffer> buffer,
      dnnl::memory::desc desc,
      int row_dim,
      int64_t columns,
      size_t itemsize);

  int64_t offset(int dim, int64_t index) const;

  std::shared_ptr<const Buffer> buffer_; // keeps the copy alive
  dnnl::memory::dims strides_, blocks_, block_dims_;
  int row_dim_;
  size_t itemsize_;
  std::vector<int64_t> columns_;
};

} // namespace ipex::forms
