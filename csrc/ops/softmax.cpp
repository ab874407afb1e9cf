// softmax(src)[c] = exp(src[c] - max) / sum_c exp(src[c] - max) over `dim`.
//
//   schema  aten::_softmax(Tensor self, int dim, bool half_to_float) -> Tensor
//   src     any strides, `dim` the last dimension that is not 1; f32, bf16, f16
//   dst     same shape and dtype, contiguous
//   else    CPU fallback: other dimensions and dtypes, no elements, half_to_float
//   errors  IndexError when `dim` is out of range, RuntimeError when half_to_float is set (a mode for GPUs)
//   source  oneDNN developer guide, "Softmax"
#include <ATen/ops/empty.h>

#include "aten/fallback.h"
#include "forms/storage.h"
#include "onednn/softmax.h"
#include "ops/kernels.h"
#include "ops/nonfinite.h"
#include "ops/softmax_rows.h"

namespace ipex::ops {

at::Tensor _softmax(const at::Tensor& self, int64_t dim, bool half_to_float) {
  const auto rows = softmax_rows(self, dim);
  const auto kernel = rows && !half_to_float
      ? onednn::find(onednn::SoftmaxForward{dnnl::algorithm::softmax_accurate, 1, *rows})
      : nullptr;
  if (!kernel)
    return fallback<at::_ops::_softmax>(self, dim, half_to_float);

  const at::Tensor src = self.contiguous();
  at::Tensor dst = at::empty(src.sizes(), src.options());
  kernel->run({{DNNL_ARG_SRC, read_bytes(src)}, {DNNL_ARG_DST, write_bytes(dst)}});
  spread_nan(src, dst, rows->sizes[1]);
  return dst;
}

} // namespace ipex::ops
