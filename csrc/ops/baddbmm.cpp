// baddbmm(self, batch1, batch2)[b] = beta * self[b] + alpha * batch1[b] x batch2[b]; beta 0 ignores self.
//
//   schema  aten::baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor
//   schema  aten::baddbmm_(Tensor(a!) self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)
//   schema  aten::baddbmm.out(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1, Tensor(a!) out) ->
//           Tensor(a!)
//   src     [B, M, K] and [B, K, N], any strides, copied unless rows or columns are adjacent; f32, bf16, f16
//   self    what expands to [B, M, N], same dtype
//   dst     [B, M, N], contiguous
//   else    CPU fallback: other dtypes, no elements, alpha 0, complex factors, `out` that overlaps an input or itself
//           or must be resized with a warning
//   errors  RuntimeError when shapes do not fit
//   source  oneDNN developer guide, "Matrix Multiplication"
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/matmul.h"

namespace ipex::ops {

at::Tensor baddbmm(
    const at::Tensor& self,
    const at::Tensor& batch1,
    const at::Tensor& batch2,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  at::Tensor dst = multiply(self, batch1, batch2, 3, beta, alpha);
  return dst.defined() ? dst : fallback<at::_ops::baddbmm>(self, batch1, batch2, beta, alpha);
}

at::Tensor& baddbmm_(
    at::Tensor& self,
    const at::Tensor& batch1,
    const at::Tensor& batch2,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  return multiply_into(self, self, batch1, batch2, 3, beta, alpha)
      ? self
      : fallback<at::_ops::baddbmm_>(self, batch1, batch2, beta, alpha);
}

at::Tensor& baddbmm_out(
    const at::Tensor& self,
    const at::Tensor& batch1,
    const at::Tensor& batch2,
    const at::Scalar& beta,
    const at::Scalar& alpha,
    at::Tensor& out) {
  return multiply_into(out, self, batch1, batch2, 3, beta, alpha)
      ? out
      : fallback<at::_ops::baddbmm_out>(self, batch1, batch2, beta, alpha, out);
}

} // namespace ipex::ops
