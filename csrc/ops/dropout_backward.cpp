// diff_src = diff_dst * mask * scale: the gradient of dropout.
//
//   schema    aten::native_dropout_backward(Tensor grad_output, Tensor mask, float scale) -> Tensor
//   diff_dst  any strides; f32, bf16, f16
//   mask      bool, same shape
//   diff_src  strides as stock PyTorch gives them
//   else      CPU fallback: other dtypes, no elements, more than 6 dimensions
//   errors    RuntimeError when the mask is not bool
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

at::Tensor native_dropout_backward(const at::Tensor& grad_output, const at::Tensor& mask, double scale) {
  at::Tensor diff_src;
  if (mask.scalar_type() == at::kBool)
    diff_src = pointwise(Pointwise{vec::functions().masked_scale, {static_cast<float>(scale)}}, grad_output, mask);
  return diff_src.defined() ? diff_src : fallback<at::_ops::native_dropout_backward>(grad_output, mask, scale);
}

} // namespace ipex::ops
