// mean(src) over `dim`: the mean of the elements that agree in all other dimensions.
//
//   schema  aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
//   src     any strides, those with gaps or overlaps are copied; f32
//   dst     contiguous for PyTorch; the kept dimensions lie in memory as they do in src
//   else    CPU fallback: other dtypes, no elements, scalars, dimensions
//           that do not fit
//   errors  IndexError or RuntimeError when dimensions do not fit
//   source  Higham, "The Accuracy of Floating Point Summation", 1993
#include "aten/fallback.h"
#include "int8/turn.h"
#include "ops/kernels.h"
#include "ops/pooling.h"
#include "ops/reduce.h"

namespace ipex::ops {

at::Tensor mean_dim(
    const at::Tensor& self,
    at::OptionalIntArrayRef dim,
    bool keepdim,
    std::optional<at::ScalarType> dtype) {
  if (int8::active()) // of an image
    if (const auto call = adaptive_pool_call(self, std::vector<int64_t>(self.dim() - 2, 1)))
      return average_pool(*call, self, 0);
  auto dst = reduce(self, dim, keepdim, dtype, /*mean=*/true);
  return dst ? *dst : fallback<at::_ops::mean_dim>(self, dim, keepdim, dtype);
}

} // namespace ipex::ops
