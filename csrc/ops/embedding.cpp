// embedding(weight, indices)[..., c] = weight[indices[...], c]
//
//   schema  aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool
//           sparse=False) -> Tensor
//   weight  [N, C], adjacent rows; any dtype of fixed width
//   indices any shape; int32, int64
//   dst     [..., C], contiguous
//   else    CPU fallback: rows with gaps, no elements, an index out of range
//   errors  IndexError when an index is out of range, RuntimeError when weight is not a matrix
//   source  our own loop, which also reads the packed copy of a weight that a linear shares; the other arguments matter
//           to gradients only
#include <ATen/Parallel.h>

#include "aten/fallback.h"
#include "core/profile.h"
#include "forms/operand.h"
#include "forms/packed_rows.h"
#include "ops/kernels.h"
#include "ops/rows_copy.h"

namespace ipex::ops {

at::Tensor embedding(
    const at::Tensor& weight,
    const at::Tensor& indices,
    int64_t padding_idx,
    bool scale_grad_by_freq,
    bool sparse) {
  if (weight.layout() == at::kStrided && weight.dim() == 2 && weight.numel() != 0 && indices.numel() != 0 &&
      !weight.is_conj() && !weight.is_neg() && weight.is_contiguous()) {
    const Indices rows(indices, weight.size(0));
    if (rows.valid()) {
      c10::DimVector sizes(indices.sizes());
      sizes.push_back(weight.size(1));
      const auto dst = forms::make_contiguous_result(sizes, weight.options());
      const size_t bytes = weight.size(1) * weight.itemsize();
      if (const auto packed = forms::PackedRows::of(weight)) {
        const profile::Kernel profiled("embedding");
        at::parallel_for(0, rows.size(), 8, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i)
            packed->copy(rows[i], static_cast<char*>(dst.data) + i * bytes);
        });
        return dst.tensor;
      }
      const auto plain = forms::read_pinned(*weight.storage().unsafeGetStorageImpl());
      const auto* first = static_cast<const char*>(plain.data) + weight.storage_offset() * weight.itemsize();
      copy_rows(first, dst.data, rows, 1, bytes, bytes, 0);
      return dst.tensor;
    }
  }
  return fallback<at::_ops::embedding>(weight, indices, padding_idx, scale_grad_by_freq, sparse);
}

} // namespace ipex::ops
