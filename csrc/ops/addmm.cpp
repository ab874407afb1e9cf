// addmm(self, mat1, mat2)[m, n] = beta * self[m, n] + alpha * sum over k of mat1[m, k] * mat2[k, n]; beta 0 ignores self.
//
//   schema  aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor
//   schema  aten::addmm_(Tensor(a!) self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)
//   schema  aten::addmm.out(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1, Tensor(a!) out) ->
//           Tensor(a!)
//   src     [M, K] and [K, N], any strides, copied unless rows or columns are adjacent; f32, bf16, f16. A mat2 that is
//           all of its storage is kept packed from its second use on: addmm(bias, src, weight.t()) costs what linear
//           does.
//   self    what expands to [M, N], same dtype
//   dst     [M, N], contiguous; left open for what follows, when self is a row
//   else    CPU fallback: other dtypes, no elements, alpha 0, complex factors, `out` that overlaps an input or itself
//           or must be resized with a warning
//   errors  RuntimeError when shapes do not fit
//   source  oneDNN developer guide, "Matrix Multiplication"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/matmul.h"

namespace ipex::ops {

at::Tensor addmm(
    const at::Tensor& self,
    const at::Tensor& mat1,
    const at::Tensor& mat2,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  at::Tensor dst = multiply(self, mat1, mat2, 2, beta, alpha);
  return dst.defined() ? dst : fallback<at::_ops::addmm>(self, mat1, mat2, beta, alpha);
}

at::Tensor& addmm_(
    at::Tensor& self,
    const at::Tensor& mat1,
    const at::Tensor& mat2,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  return multiply_into(self, self, mat1, mat2, 2, beta, alpha)
      ? self
      : fallback<at::_ops::addmm_>(self, mat1, mat2, beta, alpha);
}

at::Tensor& addmm_out(
    const at::Tensor& self,
    const at::Tensor& mat1,
    const at::Tensor& mat2,
    const at::Scalar& beta,
    const at::Scalar& alpha,
    at::Tensor& out) {
  return multiply_into(out, self, mat1, mat2, 2, beta, alpha)
      ? out
      : fallback<at::_ops::addmm_out>(self, mat1, mat2, beta, alpha, out);
}

} // namespace ipex::ops
