// diff_src[c] = dst[c] * (diff_dst[c] - sum_c diff_dst[c] * dst[c]) over `dim`: the gradient of softmax.
//
//   schema    aten::_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ScalarType input_dtype) ->
//             Tensor
//   dst       any strides, any dimension; f32, and over the dimension that lies innermost bf16, f16
//   diff_dst  same shape and dtype, any strides
//   diff_src  same shape and dtype, contiguous
//   else      CPU fallback: other dtypes, no elements
//   errors    IndexError when `dim` is out of range
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/softmax_rows.h"

namespace ipex::ops {

at::Tensor _softmax_backward_data(
    const at::Tensor& grad_output,
    const at::Tensor& output,
    int64_t dim,
    at::ScalarType input_dtype) {
  at::Tensor diff_src =
      output.scalar_type() == input_dtype ? softmax_backward(grad_output, output, dim, /*log=*/false) : at::Tensor();
  return diff_src.defined() ? diff_src
                            : fallback<at::_ops::_softmax_backward_data>(grad_output, output, dim, input_dtype);
}

} // namespace ipex::ops
