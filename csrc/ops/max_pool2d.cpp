// max_pool2d(src)[n, c, p] = max over k of src[n, c, stride p + dilation k - padding], without indices; a NaN is the
// maximum. Where a gradient is recorded, max_pool2d_with_indices runs instead.
//
//   schema  aten::max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1,
//           bool ceil_mode=False) -> Tensor
//   src     [N, C, H, W], any strides; f32, bf16
//   dst     strides as stock PyTorch gives them; lies in channels-last order
//   else    CPU fallback: unbatched, other dtypes, no elements, parameters that do not fit, windows without
//           elements
//   errors  RuntimeError when shapes or parameters do not fit
//   source  PyTorch documentation, "MaxPool2d"
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/max_pool2d_with_indices.h>
#include <torch/library.h>

#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pooling.h"

namespace ipex::ops {

at::Tensor max_pool2d(
    const at::Tensor& self,
    c10::IntArrayRef kernel_size,
    c10::IntArrayRef stride,
    c10::IntArrayRef padding,
    c10::IntArrayRef dilation,
    bool ceil_mode) {
  const auto call = pool_call(self, 2, {kernel_size, stride, padding, dilation, ceil_mode, false});
  if (!call || !call->every_window_has_elements)
    return fallback<at::_ops::max_pool2d>(self, kernel_size, stride, padding, dilation, ceil_mode);
  return std::get<0>(max_pool(*call, self, /*with_indices=*/false));
}

namespace {

// The gradient needs the indices. The one that PyTorch has for max_pool2d itself exists on Apple's GPUs only.
at::Tensor max_pool2d_autograd(
    const at::Tensor& self,
    c10::IntArrayRef kernel_size,
    c10::IntArrayRef stride,
    c10::IntArrayRef padding,
    c10::IntArrayRef dilation,
    bool ceil_mode) {
  if ((at::GradMode::is_enabled() && self.requires_grad()) || self._fw_grad(/*level=*/0).defined())
    return std::get<0>(at::max_pool2d_with_indices(self, kernel_size, stride, padding, dilation, ceil_mode));
  const at::AutoDispatchBelowADInplaceOrView below;
  return at::max_pool2d(self, kernel_size, stride, padding, dilation, ceil_mode);
}

} // namespace

TORCH_LIBRARY_IMPL(aten, AutogradPrivateUse1, library) {
  library.impl("max_pool2d", TORCH_FN(max_pool2d_autograd));
}

} // namespace ipex::ops
