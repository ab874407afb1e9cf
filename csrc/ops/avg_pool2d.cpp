// avg_pool2d(src)[n, c, p] = sum over k of src[n, c, stride p + k - padding] / divisor, where the divisor is
// `divisor_override`, or the number of elements of the window, with or without those of the padding.
//
//   schema  aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool
//           ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor
//   src     [N, C, H, W], any strides; f32, bf16
//   dst     strides as stock PyTorch gives them; lies in channels-last order
//   else    CPU fallback: unbatched, other dtypes, no elements, parameters that do not fit
//   errors  RuntimeError when shapes or parameters do not fit
//   source  PyTorch documentation, "AvgPool2d"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pooling.h"

namespace ipex::ops {

at::Tensor avg_pool2d(
    const at::Tensor& self,
    c10::IntArrayRef kernel_size,
    c10::IntArrayRef stride,
    c10::IntArrayRef padding,
    bool ceil_mode,
    bool count_include_pad,
    std::optional<int64_t> divisor_override) {
  const auto call = pool_call(self, 2, {kernel_size, stride, padding, {}, ceil_mode, count_include_pad});
  if (!call || divisor_override == 0)
    return fallback<at::_ops::avg_pool2d>(
        self, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
  return average_pool(*call, self, divisor_override.value_or(0));
}

} // namespace ipex::ops
