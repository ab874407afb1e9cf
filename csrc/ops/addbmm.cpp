// addbmm(self, batch1, batch2) = beta * self + alpha * sum over b of batch1[b] x batch2[b]; beta 0 ignores self.
//
//   schema  aten::addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor
//   schema  aten::addbmm_(Tensor(a!) self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) ->
//           Tensor(a!)
//   schema  aten::addbmm.out(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1, Tensor(a!)
//           out) -> Tensor(a!)
//   src     [B, M, K] and [B, K, N], any strides, copied unless rows or columns are adjacent; f32, bf16, f16
//   self    what expands to [M, N], same dtype
//   dst     [M, N], contiguous
//   else    CPU fallback: other dtypes, no elements, alpha 0, complex factors, `out` that overlaps an input or itself
//           or must be resized
//   errors  RuntimeError when shapes do not fit
//   source  oneDNN developer guide, "Matrix Multiplication"
#include "aten/fallback.h"
#include "forms/operand.h"
#include "ops/kernels.h"
#include "ops/matmul.h"

namespace ipex::ops {

namespace {

// One product after the other, each added to `out`. False, with `out` as it was unless it is written in full anyway, when
// the call is for the fallback.
bool add_products(
    const at::Tensor& out,
    const at::Tensor& self,
    const at::Tensor& batch1,
    const at::Tensor& batch2,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  if (!multipliable(batch1, batch2, 3) || batch1.is_alias_of(out) || batch2.is_alias_of(out) ||
      out.sizes() != c10::IntArrayRef({batch1.size(1), batch2.size(2)}) ||
      !multiply_into(out, self, batch1.select(0, 0), batch2.select(0, 0), 2, beta, alpha))
    return false;
  for (int64_t b = 1; b < batch1.size(0); ++b)
    TORCH_INTERNAL_ASSERT(multiply_into(out, out, batch1.select(0, b), batch2.select(0, b), 2, 1, alpha));
  return true;
}

} // namespace

at::Tensor addbmm(
    const at::Tensor& self,
    const at::Tensor& batch1,
    const at::Tensor& batch2,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  if (multipliable(batch1, batch2, 3)) {
    const auto dst = forms::make_contiguous_result({batch1.size(1), batch2.size(2)}, batch1.options());
    if (add_products(dst.tensor, self, batch1, batch2, beta, alpha))
      return dst.tensor;
  }
  return fallback<at::_ops::addbmm>(self, batch1, batch2, beta, alpha);
}

at::Tensor& addbmm_(
    at::Tensor& self,
    const at::Tensor& batch1,
    const at::Tensor& batch2,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  return add_products(self, self, batch1, batch2, beta, alpha)
      ? self
      : fallback<at::_ops::addbmm_>(self, batch1, batch2, beta, alpha);
}

at::Tensor& addbmm_out(
    const at::Tensor& self,
    const at::Tensor& batch1,
    const at::Tensor& batch2,
    const at::Scalar& beta,
    const at::Scalar& alpha,
    at::Tensor& out) {
  return add_products(out, self, batch1, batch2, beta, alpha)
      ? out
      : fallback<at::_ops::addbmm_out>(self, batch1, batch2, beta, alpha, out);
}

} // namespace ipex::ops
