// diff_src[c] = diff_dst[c] - exp(dst[c]) * sum_c diff_dst[c] over `dim`: the gradient of log_softmax.
//
//   schema    aten::_log_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ScalarType input_dtype) ->
//             Tensor
//   dst       any strides, `dim` the last dimension that is not 1; f32, bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  same shape and dtype, contiguous
//   else      CPU fallback: other dimensions, dtypes and instruction sets (oneDNN 3.2 needs AVX-512), no elements,
//             a NaN or +inf in dst (oneDNN's exp does not propagate them)
//   errors    IndexError when `dim` is out of range
//   source    oneDNN developer guide, "Softmax"
#include <ATen/ops/empty.h>

#include "aten/fallback.h"
#include "forms/storage.h"
#include "onednn/softmax.h"
#include "ops/kernels.h"
#include "ops/nonfinite.h"
#include "ops/softmax_rows.h"

namespace ipex::ops {

at::Tensor _log_softmax_backward_data(
    const at::Tensor& grad_output,
    const at::Tensor& output,
    int64_t dim,
    at::ScalarType input_dtype) {
  const auto rows = softmax_rows(output, dim);
  const bool alike = output.scalar_type() == input_dtype && grad_output.scalar_type() == input_dtype &&
      output.sizes() == grad_output.sizes();
  auto kernel = rows && alike ? onednn::find(onednn::SoftmaxBackward{dnnl::algorithm::softmax_log, 1, *rows}) : nullptr;
  const at::Tensor dst = output.contiguous();
  if (kernel && has_nan_or_positive_infinity(dst))
    kernel = nullptr;
  if (!kernel)
    return fallback<at::_ops::_log_softmax_backward_data>(grad_output, output, dim, input_dtype);

  const at::Tensor diff_dst = grad_output.contiguous();
  at::Tensor diff_src = at::empty(dst.sizes(), dst.options());
  kernel->run(
      {{DNNL_ARG_DST, read_bytes(dst)},
       {DNNL_ARG_DIFF_DST, read_bytes(diff_dst)},
       {DNNL_ARG_DIFF_SRC, write_bytes(diff_src)}});
  return diff_src;
}

} // namespace ipex::ops
