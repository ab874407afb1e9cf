// adaptive_max_pool2d(src)[n, c, p] = max of src[n, c, i] for floor(p in / out) <= i < ceil((p + 1) in / out), and
// where in the plane that is. The first of equal values counts; a NaN is the maximum.
//
//   schema  aten::adaptive_max_pool2d(Tensor self, int[2] output_size) -> (Tensor, Tensor)
//   src     [N, C, H, W], any strides; f32, bf16
//   dst     strides as stock PyTorch gives them; lies in channels-last order; indices are int64 and plain
//   else    CPU fallback: unbatched, other dtypes, no elements, parameters that do not fit
//   errors  RuntimeError when shapes or parameters do not fit
//   source  PyTorch documentation, "AdaptiveMaxPool2d"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pooling.h"

namespace ipex::ops {

std::tuple<at::Tensor, at::Tensor> adaptive_max_pool2d(const at::Tensor& self, c10::IntArrayRef output_size) {
  const auto call = output_size.size() == 2 ? adaptive_pool_call(self, output_size) : std::nullopt;
  if (!call)
    return fallback<at::_ops::adaptive_max_pool2d>(self, output_size);
  return max_pool(*call, self, /*with_indices=*/true);
}

} // namespace ipex::ops
