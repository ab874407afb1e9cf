// masked_fill_(self, mask) = value where mask, else self
//
//   schema  aten::masked_fill_.Scalar(Tensor(a!) self, Tensor mask, Scalar value) -> Tensor(a!)
//   src     self: f32, bf16, f16; mask: bool, broadcast to self; any strides
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions, values that the dtype cannot hold
#include <cmath>

#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> masked_fill_call(const at::Tensor& src, const at::Tensor& mask, const at::Scalar& value) {
  const auto number = number_in(src.scalar_type(), value);
  if (mask.scalar_type() != at::kBool || !number || (std::isinf(*number) && std::isfinite(value.toDouble())))
    return std::nullopt;
  return Pointwise{vec::functions().masked_fill, {*number}};
}

} // namespace

at::Tensor& masked_fill__Scalar(at::Tensor& self, const at::Tensor& mask, const at::Scalar& value) {
  return pointwise_into(masked_fill_call(self, mask, value), self, self, mask)
      ? self
      : fallback<at::_ops::masked_fill__Scalar>(self, mask, value);
}

} // namespace ipex::ops
