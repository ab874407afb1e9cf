// index_select(self, dim, index)[..., i, ...] = self[..., index[i], ...]
//
//   schema  aten::index_select(Tensor self, int dim, Tensor index) -> Tensor
//   src     contiguous, at least one dimension; any dtype of fixed width
//   index   a vector or a scalar; int32, int64
//   dst     contiguous
//   else    CPU fallback: other strides, no elements, an index out of range
//   errors  IndexError when an index or `dim` is out of range or index is not a vector
//   source  our own loop
#include "aten/fallback.h"
#include "forms/operand.h"
#include "forms/storage.h"
#include "ops/kernels.h"
#include "ops/rows_copy.h"

namespace ipex::ops {

at::Tensor index_select(const at::Tensor& self, int64_t dim, const at::Tensor& index) {
  const int64_t rank = self.dim();
  const int64_t axis = dim < 0 ? dim + rank : dim;
  if (self.layout() == at::kStrided && axis >= 0 && axis < rank && index.dim() <= 1 && self.numel() != 0 &&
      index.numel() != 0 && !self.is_conj() && !self.is_neg() && self.is_contiguous()) {
    const Indices rows(index, self.size(axis));
    if (rows.valid()) {
      c10::DimVector sizes(self.sizes());
      sizes[axis] = index.numel();
      const auto dst = forms::make_contiguous_result(sizes, self.options());
      const size_t bytes = c10::multiply_integers(self.sizes().slice(axis + 1)) * self.itemsize();
      const int64_t outer = c10::multiply_integers(self.sizes().slice(0, axis));
      copy_rows(read_bytes(self), dst.data, rows, outer, bytes, bytes, bytes * self.size(axis));
      return dst.tensor;
    }
  }
  return fallback<at::_ops::index_select>(self, dim, index);
}

} // namespace ipex::ops
