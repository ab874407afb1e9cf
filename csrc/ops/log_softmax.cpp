// log_softmax(src)[c] = src[c] - max - log(sum_c exp(src[c] - max)) over `dim`.
//
//   schema  aten::_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor
//   schema  aten::_log_softmax.out(Tensor self, int dim, bool half_to_float, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides, any dimension; f32, and over the dimension that lies innermost bf16, f16
//   dst     same shape and dtype, contiguous
//   else    CPU fallback: other dtypes, no elements, half_to_float, out= of another size
//   errors  IndexError when `dim` is out of range, RuntimeError when half_to_float is set (a mode for GPUs)
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/softmax_rows.h"

namespace ipex::ops {

at::Tensor _log_softmax(const at::Tensor& self, int64_t dim, bool half_to_float) {
  at::Tensor dst = half_to_float ? at::Tensor() : softmax_forward(self, dim, /*log=*/true);
  return dst.defined() ? dst : fallback<at::_ops::_log_softmax>(self, dim, half_to_float);
}

at::Tensor& _log_softmax_out(const at::Tensor& self, int64_t dim, bool half_to_float, at::Tensor& out) {
  if (!half_to_float && softmax_forward_into(self, dim, /*log=*/true, out))
    return out;
  return fallback<at::_ops::_log_softmax_out>(self, dim, half_to_float, out);
}

} // namespace ipex::ops
