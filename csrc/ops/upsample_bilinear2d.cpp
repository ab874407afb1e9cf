// upsample_bilinear2d(src)[n, c, p] = sum of src[n, c, i] * (1 - |i - q|) over the neighbours i of q = (p + 0.5) * in
// / out - 0.5, or p * (in - 1) / (out - 1) with `align_corners`, in both dimensions.
//
//   schema  aten::upsample_bilinear2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None,
//           float? scales_w=None) -> Tensor
//   src     [N, C, H, W], any strides; f32
//   dst     strides as stock PyTorch gives them; lies in channels-last order
//   else    CPU fallback: other dtypes, no elements, sizes that do not fit
//   errors  RuntimeError when sizes do not fit
//   source  PyTorch documentation, "torch.nn.functional.interpolate"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/resample.h"

namespace ipex::ops {

at::Tensor upsample_bilinear2d(
    const at::Tensor& self,
    c10::IntArrayRef output_size,
    bool align_corners,
    std::optional<double> scales_h,
    std::optional<double> scales_w) {
  const auto call =
      resample_call(Interpolation::kLinear, self.sizes(), output_size, align_corners, {scales_h, scales_w});
  if (!call || !can_resample(self, call->src_sizes))
    return fallback<at::_ops::upsample_bilinear2d>(self, output_size, align_corners, scales_h, scales_w);
  return resample(*call, self);
}

} // namespace ipex::ops
