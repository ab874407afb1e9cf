// where(condition, self, other) = self where condition, else other
//
//   schema  aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor
//   schema  aten::where.self_out(Tensor condition, Tensor self, Tensor other, *, Tensor(a!) out) -> Tensor(a!)
//   src     condition: bool; self and other: f32, bf16, f16 of one dtype, or a scalar; any strides, broadcasting
//   dst     shape and strides as stock PyTorch gives them
//   else    CPU fallback: mixed dtypes, no elements, more than 6 dimensions, out= of another size
//   errors  RuntimeError when the shapes do not broadcast
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> where_call(const at::Tensor& condition) {
  if (condition.scalar_type() != at::kBool)
    return std::nullopt;
  return Pointwise{vec::functions().where};
}

} // namespace

at::Tensor where_self(const at::Tensor& condition, const at::Tensor& self, const at::Tensor& other) {
  at::Tensor dst = pointwise(where_call(condition), condition, self, other);
  return dst.defined() ? dst : fallback<at::_ops::where_self>(condition, self, other);
}

at::Tensor& where_self_out(
    const at::Tensor& condition,
    const at::Tensor& self,
    const at::Tensor& other,
    at::Tensor& out) {
  return pointwise_into(where_call(condition), out, condition, self, other)
      ? out
      : fallback<at::_ops::where_self_out>(condition, self, other, out);
}

} // namespace ipex::ops
