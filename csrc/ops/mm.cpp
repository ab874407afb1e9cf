// mm(self, mat2)[m, n] = sum over k of self[m, k] * mat2[k, n]
//
//   schema  aten::mm(Tensor self, Tensor mat2) -> Tensor
//   schema  aten::mm.out(Tensor self, Tensor mat2, *, Tensor(a!) out) -> Tensor(a!)
//   src     [M, K] and [K, N], any strides, copied unless rows or columns are adjacent; f32, bf16, f16. A mat2 that is
//           all of its storage is kept packed from its second use on.
//   dst     [M, N], contiguous; left open for what follows, unless it is small
//   else    CPU fallback: other dtypes, no elements, `out` that overlaps an input or itself or must be resized with a
//           warning
//   errors  RuntimeError when shapes do not fit
//   source  oneDNN developer guide, "Matrix Multiplication"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/matmul.h"

namespace ipex::ops {

at::Tensor mm(const at::Tensor& self, const at::Tensor& mat2) {
  at::Tensor dst = multiply({}, self, mat2, 2);
  return dst.defined() ? dst : fallback<at::_ops::mm>(self, mat2);
}

at::Tensor& mm_out(const at::Tensor& self, const at::Tensor& mat2, at::Tensor& out) {
  return multiply_into(out, {}, self, mat2, 2) ? out : fallback<at::_ops::mm_out>(self, mat2, out);
}

} // namespace ipex::ops
