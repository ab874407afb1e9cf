// diff_src[n, c, i] = sum of diff_dst[n, c, p] times the weight that src[n, c, i] has in dst[n, c, p].
//
//   schema    aten::_upsample_nearest_exact2d_backward(Tensor grad_output, SymInt[2] output_size, SymInt[4]
//             input_size, float? scales_h=None, float? scales_w=None) -> Tensor
//   diff_dst  [N, C, H, W], any strides; f32
//   results   diff_src: strides as stock PyTorch gives them; lies in channels-last order
//   else      CPU fallback: other dtypes, no elements, sizes that do not fit
//   errors    RuntimeError when sizes do not fit
//   source    PyTorch documentation, "torch.nn.functional.interpolate"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/resample.h"

namespace ipex::ops {

at::Tensor _upsample_nearest_exact2d_backward(
    const at::Tensor& grad_output,
    c10::IntArrayRef output_size,
    c10::IntArrayRef input_size,
    std::optional<double> scales_h,
    std::optional<double> scales_w) {
  const auto call = resample_call(Interpolation::kNearestExact, input_size, output_size, false, {scales_h, scales_w});
  if (!call || !can_resample(grad_output, call->dst_sizes))
    return fallback<at::_ops::_upsample_nearest_exact2d_backward>(
        grad_output, output_size, input_size, scales_h, scales_w);
  return resample_backward(*call, grad_output);
}

} // namespace ipex::ops
