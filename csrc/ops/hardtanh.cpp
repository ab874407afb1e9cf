// hardtanh(src) = min(max(src, min_val), max_val); relu6 is the case 0, 6.
//
//   schema  aten::hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor
//   schema  aten::hardtanh_(Tensor(a!) self, Scalar min_val=-1, Scalar max_val=1) -> Tensor(a!)
//   schema  aten::hardtanh.out(Tensor self, Scalar min_val=-1, Scalar max_val=1, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype, strides as stock PyTorch gives them
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions
//   errors  RuntimeError when min_val > max_val
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> hardtanh_call(const at::Tensor& src, const at::Scalar& min_val, const at::Scalar& max_val) {
  const auto min = number_in(src.scalar_type(), min_val), max = number_in(src.scalar_type(), max_val);
  if (!min || !max || !(*min <= *max))
    return std::nullopt;
  return Pointwise{vec::functions().clamp, {*min, *max}};
}

} // namespace

at::Tensor hardtanh(const at::Tensor& self, const at::Scalar& min_val, const at::Scalar& max_val) {
  at::Tensor dst = pointwise(hardtanh_call(self, min_val, max_val), self);
  return dst.defined() ? dst : fallback<at::_ops::hardtanh>(self, min_val, max_val);
}

at::Tensor& hardtanh_(at::Tensor& self, const at::Scalar& min_val, const at::Scalar& max_val) {
  return pointwise_into(hardtanh_call(self, min_val, max_val), self, self)
      ? self
      : fallback<at::_ops::hardtanh_>(self, min_val, max_val);
}

at::Tensor& hardtanh_out(
    const at::Tensor& self,
    const at::Scalar& min_val,
    const at::Scalar& max_val,
    at::Tensor& out) {
  return pointwise_into(hardtanh_call(self, min_val, max_val), out, self)
      ? out
      : fallback<at::_ops::hardtanh_out>(self, min_val, max_val, out);
}

} // namespace ipex::ops
