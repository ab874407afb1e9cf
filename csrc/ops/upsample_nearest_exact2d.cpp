// upsample_nearest_exact2d(src)[n, c, p] = src[n, c, min(floor((p + 0.5) * in / out), in - 1)].
//
//   schema  aten::_upsample_nearest_exact2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float?
//           scales_w=None) -> Tensor
//   src     [N, C, H, W], any strides; f32
//   dst     strides as stock PyTorch gives them; lies in channels-last order
//   else    CPU fallback: other dtypes, no elements, sizes that do not fit
//   errors  RuntimeError when sizes do not fit
//   source  PyTorch documentation, "torch.nn.functional.interpolate"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/resample.h"

namespace ipex::ops {

at::Tensor _upsample_nearest_exact2d(
    const at::Tensor& self,
    c10::IntArrayRef output_size,
    std::optional<double> scales_h,
    std::optional<double> scales_w) {
  const auto call = resample_call(Interpolation::kNearestExact, self.sizes(), output_size, false, {scales_h, scales_w});
  if (!call || !can_resample(self, call->src_sizes))
    return fallback<at::_ops::_upsample_nearest_exact2d>(self, output_size, scales_h, scales_w);
  return resample(*call, self);
}

} // namespace ipex::ops
