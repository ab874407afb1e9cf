// addmv(self, mat, vec)[m] = beta * self[m] + alpha * sum over k of mat[m, k] * vec[k]; beta 0 ignores self. mv has none.
//
//   schema  aten::addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor
//   schema  aten::addmv_(Tensor(a!) self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)
//   schema  aten::addmv.out(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1, Tensor(a!) out) ->
//           Tensor(a!)
//   schema  aten::mv(Tensor self, Tensor vec) -> Tensor
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
#include "ops/product.h"

namespace ipex::ops {

namespace {

// A vector as a matrix of one column.
onednn::Layout column(const onednn::Layout& vector) {
  return onednn::Layout::strided(vector.dtype, {vector.sizes[0], 1}, {vector.strides[0], 1});
}

// False when the call is for the fallback. `self` may be undefined.
bool multiply_column(
    const at::Tensor& out,
    const at::Tensor& self,
    const at::Tensor& mat,
    const at::Tensor& vec,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  if (!forms::readable(mat) || !forms::readable(vec) || !mat.is_floating_point() || mat.dim() != 2 || vec.dim() != 1 ||
      mat.size(1) != vec.size(0) || mat.numel() == 0 || mat.scalar_type() != vec.scalar_type() ||
      (self.is_same(out) && out.dim() != 1) || (self.defined() && !addable(self, mat, {mat.size(0)}, beta, alpha)) ||
      !prepare_out(out, mat, {mat.size(0)}, {self, mat, vec}) || mat.is_same(out) || vec.is_same(out) ||
      (out.stride(0) == 0 && out.size(0) != 1))
    return false;
  const Factors factors = self.defined() ? Factors{alpha.to<float>(), beta.to<float>()} : Factors{};
  if (factors.beta != 0 && !self.is_same(out))
    out.copy_(self.expand(out.sizes()));
  auto src = forms::read(vec);
  src.layout = column(src.layout);
  const auto dst = forms::update(out);
  const auto product = Product::plan(forms::read(mat), std::move(src), column(dst.layout), factors);
  if (product)
    product->run(dst.data);
  return product.has_value();
}

} // namespace

at::Tensor addmv(
    const at::Tensor& self,
    const at::Tensor& mat,
    const at::Tensor& vec,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  if (mat.dim() == 2 && forms::readable(mat) && mat.is_floating_point()) {
    const auto dst = forms::make_contiguous_result({mat.size(0)}, mat.options());
    if (multiply_column(dst.tensor, self, mat, vec, beta, alpha))
      return dst.tensor;
  }
  return fallback<at::_ops::addmv>(self, mat, vec, beta, alpha);
}

at::Tensor mv(const at::Tensor& self, const at::Tensor& vec) {
  if (self.dim() == 2 && forms::readable(self) && self.is_floating_point()) {
    const auto dst = forms::make_contiguous_result({self.size(0)}, self.options());
    if (multiply_column(dst.tensor, {}, self, vec, 0, 1))
      return dst.tensor;
  }
  return fallback<at::_ops::mv>(self, vec);
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
