// diff_src[n, c, i] = sum of diff_dst[n, c, p] / divisor[p] over the windows p that cover i.
//
//   schema    aten::avg_pool2d_backward(Tensor grad_output, Tensor self, int[2] kernel_size, int[2] stride, int[2]
//             padding, bool ceil_mode, bool count_include_pad, int? divisor_override) -> Tensor
//   diff_dst  shape of the result of avg_pool2d, any strides; f32
//   results   diff_src: strides as stock PyTorch gives them; lies in channels-last order
//   else      CPU fallback: unbatched, other dtypes, no elements, parameters that do not fit
//   errors    RuntimeError when shapes or parameters do not fit
//   source    PyTorch documentation, "AvgPool2d"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pooling.h"

namespace ipex::ops {

at::Tensor avg_pool2d_backward(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    c10::IntArrayRef kernel_size,
    c10::IntArrayRef stride,
    c10::IntArrayRef padding,
    bool ceil_mode,
    bool count_include_pad,
    std::optional<int64_t> divisor_override) {
  const auto call = pool_call(self, 2, {kernel_size, stride, padding, {}, ceil_mode, count_include_pad});
  if (!call || !is_gradient_of(*call, grad_output) || divisor_override == 0)
    return fallback<at::_ops::avg_pool2d_backward>(
        grad_output, self, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
  return average_pool_backward(*call, grad_output, self, divisor_override.value_or(0));
}

} // namespace ipex::ops
