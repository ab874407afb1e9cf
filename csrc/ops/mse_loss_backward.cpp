// diff_src = 2 * (src - target) * diff_dst, divided by the number of elements when the loss was their mean.
//
//   schema    aten::mse_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction) -> Tensor
//   src       contiguous, as target; f32, bf16, f16
//   diff_dst  a scalar, or contiguous and of the shape of src
//   diff_src  contiguous
//   else      CPU fallback: other strides, other or mixed dtypes, no elements, more than 6 dimensions
#include <ATen/core/Reduction.h>

#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor mse_loss_backward(
    const at::Tensor& grad_output,
    const at::Tensor& self,
    const at::Tensor& target,
    int64_t reduction) {
  at::Tensor diff_src;
  if (self.is_contiguous() && target.is_contiguous() && self.sizes() == target.sizes() && self.numel() != 0 &&
      (grad_output.dim() == 0 || (grad_output.is_contiguous() && grad_output.sizes() == self.sizes()))) {
    const double factor = reduction == at::Reduction::Mean ? 2. / static_cast<double>(self.numel()) : 2.;
    diff_src =
        pointwise(Pointwise{vec::functions().mse_backward, {static_cast<float>(factor)}}, grad_output, self, target);
  }
  return diff_src.defined() ? diff_src : fallback<at::_ops::mse_loss_backward>(grad_output, self, target, reduction);
}

} // namespace ipex::ops
