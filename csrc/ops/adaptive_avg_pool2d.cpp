// adaptive_avg_pool2d(src)[n, c, p] = mean of src[n, c, i] for floor(p in / out) <= i < ceil((p + 1) in / out).
//
//   schema  aten::_adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor
//   src     [N, C, H, W], any strides; f32, bf16
//   dst     strides as stock PyTorch gives them; lies in channels-last order
//   else    CPU fallback: unbatched, other dtypes, no elements, parameters that do not fit
//   errors  RuntimeError when shapes or parameters do not fit
//   source  PyTorch documentation, "AdaptiveAvgPool2d"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pooling.h"

namespace ipex::ops {

at::Tensor _adaptive_avg_pool2d(const at::Tensor& self, c10::IntArrayRef output_size) {
  const auto call = output_size.size() == 2 ? adaptive_pool_call(self, output_size) : std::nullopt;
  if (!call)
    return fallback<at::_ops::_adaptive_avg_pool2d>(self, output_size);
  return average_pool(*call, self, 0);
}

} // namespace ipex::ops
