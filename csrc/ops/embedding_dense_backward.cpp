// dst[n] = sum of grad_output[i] over the i with indices[i] = n, without those at padding_idx
//
//   schema  aten::embedding_dense_backward(Tensor grad_output, Tensor indices, SymInt num_weights, SymInt padding_idx,
//           bool scale_grad_by_freq) -> Tensor
//   src     grad_output [..., C], any strides; f32
//   indices [...]; int32, int64
//   dst     [num_weights, C], contiguous; the same bits as on CPU, because the rows are added in the same order
//   else    CPU fallback: other dtypes, no elements, an index out of range, scale_grad_by_freq
//   source  our own loop
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "aten/fallback.h"
#include "core/profile.h"
#include "core/target_clones.h"
#include "forms/operand.h"
#include "ops/kernels.h"
#include "ops/rows_copy.h"

namespace ipex::ops {

namespace {

IPEX_TARGET_CLONES void add_row(float* to, const float* from, int64_t count) {
  for (int64_t c = 0; c < count; ++c)
    to[c] += from[c];
}

} // namespace

at::Tensor embedding_dense_backward(
    const at::Tensor& grad_output,
    const at::Tensor& indices,
    int64_t num_weights,
    int64_t padding_idx,
    bool scale_grad_by_freq) {
  const bool fits = !scale_grad_by_freq && forms::readable(grad_output) && grad_output.scalar_type() == at::kFloat &&
      grad_output.dim() == indices.dim() + 1 && grad_output.numel() != 0 && num_weights > 0 &&
      grad_output.sizes().slice(0, indices.dim()) == indices.sizes();
  if (!fits)
    return fallback<at::_ops::embedding_dense_backward>(
        grad_output, indices, num_weights, padding_idx, scale_grad_by_freq);
  const Indices rows(indices, num_weights);
  if (!rows.valid())
    return fallback<at::_ops::embedding_dense_backward>(
        grad_output, indices, num_weights, padding_idx, scale_grad_by_freq);

  const int64_t channels = grad_output.size(-1);
  const auto src = forms::read_as(grad_output, forms::row_major_strides(grad_output.sizes()));
  const auto dst = forms::make_contiguous_result({num_weights, channels}, grad_output.options());
  const auto* from = static_cast<const float*>(src.data);
  auto* to = static_cast<float*>(dst.data);
  // Each thread has a range of the result's rows, which it clears and adds to.
  const int64_t grain = std::max<int64_t>(1, 65536 / channels);
  const profile::Kernel profiled("embedding_backward");
  at::parallel_for(0, num_weights, grain, [&](int64_t begin, int64_t end) {
    std::memset(to + begin * channels, 0, static_cast<size_t>((end - begin) * channels) * sizeof(float));
    for (int64_t i = 0; i < rows.size(); ++i) {
      const int64_t row = rows[i];
      if (row >= begin && row < end && row != padding_idx)
        add_row(to + row * channels, from + i * channels, channels);
    }
  });
  return dst.tensor;
}

} // namespace ipex::ops
