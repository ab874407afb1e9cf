// diff_src[n, c, i] = sum of diff_dst[n, c, p] / size[p] over the windows p that cover i.
//
//   schema    aten::_adaptive_avg_pool2d_backward(Tensor grad_output, Tensor self) -> Tensor
//   diff_dst  shape of the result of adaptive_avg_pool2d, any strides; f32
//   results   diff_src: strides as stock PyTorch gives them; lies in channels-last order
//   else      CPU fallback: unbatched, other dtypes, no elements, parameters that do not fit
//   errors    RuntimeError when shapes or parameters do not fit
//   source    PyTorch documentation, "AdaptiveAvgPool2d"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pooling.h"

namespace ipex::ops {

at::Tensor _adaptive_avg_pool2d_backward(const at::Tensor& grad_output, const at::Tensor& self) {
  const auto call = grad_output.dim() == 4 ? adaptive_pool_call(self, grad_output.sizes().slice(2)) : std::nullopt;
  if (!call || !is_gradient_of(*call, grad_output))
    return fallback<at::_ops::_adaptive_avg_pool2d_backward>(grad_output, self);
  return average_pool_backward(*call, grad_output, self, 0);
}

} // namespace ipex::ops
