// diff_src[n, c, i] = sum of diff_dst[n, c, p] over the windows p whose maximum was at i.
//
//   schema    aten::max_pool2d_with_indices_backward(Tensor grad_output, Tensor self, int[2] kernel_size, int[2]
//             stride, int[2] padding, int[2] dilation, bool ceil_mode, Tensor indices) -> Tensor
//   diff_dst  shape of the result of max_pool2d, any strides; f32
//   indices   same shape, int64
//   results   diff_src: strides as stock PyTorch gives them; lies in channels-last order
//   else      CPU fallback: unbatched, other dtypes, no elements, parameters that do not fit
//   errors    RuntimeError when shapes or parameters do not fit
//   source    PyTorch documentation, "MaxPool2d"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pooling.h"

namespace ipex::ops {

at::Tensor max_pool2d_with_indices_backward(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    c10::IntArrayRef kernel_size,
    c10::IntArrayRef stride,
    c10::IntArrayRef padding,
    c10::IntArrayRef dilation,
    bool ceil_mode,
    const at::Tensor& indices) {
  const auto call = pool_call(self, 2, {kernel_size, stride, padding, dilation, ceil_mode, false});
  if (!call || !is_gradient_of(*call, grad_output) || indices.sizes() != grad_output.sizes() ||
      indices.scalar_type() != at::kLong)
    return fallback<at::_ops::max_pool2d_with_indices_backward>(
        grad_output, self, kernel_size, stride, padding, dilation, ceil_mode, indices);
  return max_pool_backward(*call, grad_output, self, indices);
}

} // namespace ipex::ops
