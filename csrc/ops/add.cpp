// add(self, other) = self + alpha * other
//
//   schema  aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
//   schema  aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)
//   schema  aten::add.out(Tensor self, Tensor other, *, Scalar alpha=1, Tensor(a!) out) -> Tensor(a!)
//   src     self and other: any strides, broadcasting; f32, bf16, f16 of one dtype, or a scalar
//   dst     shape and strides as stock PyTorch gives them
//   else    CPU fallback: mixed dtypes, no elements, more than 6 dimensions, out= of another size
//   errors  RuntimeError when the shapes do not broadcast
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> add_call(const at::Scalar& alpha) {
  const auto factor = number_in(at::kFloat, alpha);
  if (!factor)
    return std::nullopt;
  return Pointwise{vec::functions().add, {*factor}};
}

} // namespace

at::Tensor add_Tensor(const at::Tensor& self, const at::Tensor& other, const at::Scalar& alpha) {
  at::Tensor dst = pointwise(add_call(alpha), self, other);
  return dst.defined() ? dst : fallback<at::_ops::add_Tensor>(self, other, alpha);
}

at::Tensor& add__Tensor(at::Tensor& self, const at::Tensor& other, const at::Scalar& alpha) {
  return pointwise_into(add_call(alpha), self, self, other) ? self
                                                            : fallback<at::_ops::add__Tensor>(self, other, alpha);
}

at::Tensor& add_out(const at::Tensor& self, const at::Tensor& other, const at::Scalar& alpha, at::Tensor& out) {
  return pointwise_into(add_call(alpha), out, self, other) ? out : fallback<at::_ops::add_out>(self, other, alpha, out);
}

} // namespace ipex::ops
