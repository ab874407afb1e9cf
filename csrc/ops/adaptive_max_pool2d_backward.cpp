// diff_src[n, c, i] = sum of diff_dst[n, c, p] over the windows p whose maximum was at i.
//
//   schema    aten::adaptive_max_pool2d_backward(Tensor grad_output, Tensor self, Tensor indices) -> Tensor
//   diff_dst  shape of the result of adaptive_max_pool2d, any strides; f32
//   indices   same shape, int64
//   results   diff_src: strides as stock PyTorch gives them; lies in channels-last order
//   else      CPU fallback: unbatched, other dtypes, no elements, parameters that do not fit
//   errors    RuntimeError when shapes or parameters do not fit
//   source    PyTorch documentation, "AdaptiveMaxPool2d"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pooling.h"

namespace ipex::ops {

at::Tensor adaptive_max_pool2d_backward(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    const at::Tensor& indices) {
  const auto call = grad_output.dim() == 4 ? adaptive_pool_call(self, grad_output.sizes().slice(2)) : std::nullopt;
  if (!call || !is_gradient_of(*call, grad_output) || indices.sizes() != grad_output.sizes() ||
      indices.scalar_type() != at::kLong)
    return fallback<at::_ops::adaptive_max_pool2d_backward>(grad_output, self, indices);
  return max_pool_backward(*call, grad_output, self, indices);
}

} // namespace ipex::ops
