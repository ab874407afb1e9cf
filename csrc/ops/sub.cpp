// sub(self, other) = self - alpha * other; rsub is the same with the operands exchanged.
//
//   schema  aten::rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
//   schema  aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
//   schema  aten::sub_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)
//   schema  aten::sub.out(Tensor self, Tensor other, *, Scalar alpha=1, Tensor(a!) out) -> Tensor(a!)
//   src     self and other: any strides, broadcasting; f32, bf16, f16 of one dtype, or a scalar
//   dst     shape and strides as stock PyTorch gives them
//   else    CPU fallback: mixed dtypes, no elements, more than 6 dimensions, out= of another size
//   errors  RuntimeError when the shapes do not broadcast
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> sub_call(const at::Tensor& a, const at::Tensor& b, const at::Scalar& alpha) {
  if (a.scalar_type() == at::kBool || b.scalar_type() == at::kBool)
    return std::nullopt; // stock PyTorch refuses them
  const auto factor = number_in(at::kFloat, alpha);
  if (!factor)
    return std::nullopt;
  return Pointwise{vec::functions().add, {-*factor}};
}

} // namespace

at::Tensor rsub_Tensor(const at::Tensor& self, const at::Tensor& other, const at::Scalar& alpha) {
  at::Tensor dst = pointwise(sub_call(self, other, alpha), other, self);
  return dst.defined() ? dst : fallback<at::_ops::rsub_Tensor>(self, other, alpha);
}

at::Tensor sub_Tensor(const at::Tensor& self, const at::Tensor& other, const at::Scalar& alpha) {
  at::Tensor dst = pointwise(sub_call(self, other, alpha), self, other);
  return dst.defined() ? dst : fallback<at::_ops::sub_Tensor>(self, other, alpha);
}

at::Tensor& sub__Tensor(at::Tensor& self, const at::Tensor& other, const at::Scalar& alpha) {
  return pointwise_into(sub_call(self, other, alpha), self, self, other)
      ? self
      : fallback<at::_ops::sub__Tensor>(self, other, alpha);
}

at::Tensor& sub_out(const at::Tensor& self, const at::Tensor& other, const at::Scalar& alpha, at::Tensor& out) {
  return pointwise_into(sub_call(self, other, alpha), out, self, other)
      ? out
      : fallback<at::_ops::sub_out>(self, other, alpha, out);
}

} // namespace ipex::ops
