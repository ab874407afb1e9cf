// max_pool3d(src)[n, c, p] = max over k of src[n, c, stride p + dilation k - padding], and where in the plane that is.
// The first of equal values counts; a NaN is the maximum.
//
//   schema  aten::max_pool3d_with_indices(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3]
//           dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)
//   src     [N, C, D, H, W], any strides; f32, bf16
//   dst     strides as stock PyTorch gives them; lies in channels-last order; indices are int64 and plain
//   else    CPU fallback: unbatched, other dtypes, no elements, parameters that do not fit, windows without
//           elements
//   errors  RuntimeError when shapes or parameters do not fit
//   source  PyTorch documentation, "MaxPool3d"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pooling.h"

namespace ipex::ops {

std::tuple<at::Tensor, at::Tensor> max_pool3d_with_indices(
    const at::Tensor& self,
    c10::IntArrayRef kernel_size,
    c10::IntArrayRef stride,
    c10::IntArrayRef padding,
    c10::IntArrayRef dilation,
    bool ceil_mode) {
  const auto call = pool_call(self, 3, {kernel_size, stride, padding, dilation, ceil_mode, false});
  if (!call || !call->every_window_has_elements)
    return fallback<at::_ops::max_pool3d_with_indices>(self, kernel_size, stride, padding, dilation, ceil_mode);
  return max_pool(*call, self, /*with_indices=*/true);
}

} // namespace ipex::ops
