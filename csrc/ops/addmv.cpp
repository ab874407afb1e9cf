// addmv(self, mat, vec)[m] = beta * self[m] + alpha * sum over k of mat[m, k] * vec[k]; beta 0 ignores self. mv is made of
// it.
//
//   schema  aten::addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor
//   schema  aten::addmv_(Tensor(a!) self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)
//   schema  aten::addmv.out(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1, Tensor(a!) out) ->
//           Tensor(a!)
//   src     [M, K] and [K], any strides, copied unless rows or columns are adjacent; f32, bf16, f16
//   self    [M], [1] or a scalar, same dtype
//   dst     [M]
//   else    CPU fallback: other dtypes, no elements, alpha 0, complex factors, `out` that overlaps an input or itself
//           or must be resized
//   errors  RuntimeError when shapes do not fit
//   source  oneDNN developer guide, "Matrix Multiplication"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/matmul.h"

namespace ipex::ops {

namespace {

// The vector as a matrix of one column.
bool multiply_column(
    const at::Tensor& out,
    const at::Tensor& self,
    const at::Tensor& mat,
    const at::Tensor& vec,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  if (mat.dim() != 2 || vec.dim() != 1 || out.dim() != 1 || out.size(0) != mat.size(0) || self.dim() > 1 ||
      !forms::readable(out) || !forms::readable(vec) || (out.is_alias_of(self) && !out.is_same(self)))
    return false;
  const auto column = out.unsqueeze(1);
  const auto addend = self.is_same(out) ? column : self.dim() == 0 ? self : self.unsqueeze(1);
  return multiply_into(column, addend, mat, vec.unsqueeze(1), 2, beta, alpha);
}

} // namespace

at::Tensor addmv(
    const at::Tensor& self,
    const at::Tensor& mat,
    const at::Tensor& vec,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  if (mat.dim() == 2 && forms::readable(mat)) {
    const auto dst = forms::make_contiguous_result({mat.size(0)}, mat.options());
    if (multiply_column(dst.tensor, self, mat, vec, beta, alpha))
      return dst.tensor;
  }
  return fallback<at::_ops::addmv>(self, mat, vec, beta, alpha);
}

at::Tensor& addmv_(
    at::Tensor& self,
    const at::Tensor& mat,
    const at::Tensor& vec,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  return multiply_column(self, self, mat, vec, beta, alpha) ? self
                                                            : fallback<at::_ops::addmv_>(self, mat, vec, beta, alpha);
}

at::Tensor& addmv_out(
    const at::Tensor& self,
    const at::Tensor& mat,
    const at::Tensor& vec,
    const at::Scalar& beta,
    const at::Scalar& alpha,
    at::Tensor& out) {
  return multiply_column(out, self, mat, vec, beta, alpha)
      ? out
      : fallback<at::_ops::addmv_out>(self, mat, vec, beta, alpha, out);
}

} // namespace ipex::ops
