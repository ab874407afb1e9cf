// bmm(self, mat2)[b, m, n] = sum over k of self[b, m, k] * mat2[b, k, n]
//
//   schema  aten::bmm(Tensor self, Tensor mat2) -> Tensor
//   schema  aten::bmm.out(Tensor self, Tensor mat2, *, Tensor(a!) out) -> Tensor(a!)
//   src     [B, M, K] and [B, K, N], any strides, copied unless rows or columns are adjacent; f32, bf16, f16
//   dst     [B, M, N], contiguous; left open for what follows, unless it is small
//   else    CPU fallback: other dtypes, no elements, `out` that overlaps an input or itself or must be resized with a
//           warning
//   errors  RuntimeError when shapes do not fit
//   source  oneDNN developer guide, "Matrix Multiplication"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/matmul.h"

namespace ipex::ops {

at::Tensor bmm(const at::Tensor& self, const at::Tensor& mat2) {
  at::Tensor dst = multiply({}, self, mat2, 3);
  return dst.defined() ? dst : fallback<at::_ops::bmm>(self, mat2);
}

at::Tensor& bmm_out(const at::Tensor& self, const at::Tensor& mat2, at::Tensor& out) {
  return multiply_into(out, {}, self, mat2, 3) ? out : fallback<at::_ops::bmm_out>(self, mat2, out);
}

} // namespace ipex::ops
