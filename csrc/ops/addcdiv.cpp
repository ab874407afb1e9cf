// addcdiv(self, tensor1, tensor2) = self + value * tensor1 / tensor2
//
//   schema  aten::addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor
//   schema  aten::addcdiv_(Tensor(a!) self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor(a!)
//   schema  aten::addcdiv.out(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1, Tensor(a!) out) ->
//           Tensor(a!)
//   src     self, tensor1, tensor2: any strides, broadcasting; f32, bf16, f16 of one dtype
//   dst     shape and strides as stock PyTorch gives them
//   else    CPU fallback: mixed dtypes, no elements, more than 6 dimensions, out= of another size
//   errors  RuntimeError when the shapes do not broadcast
#include "aten/fallback.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

namespace {

std::optional<Pointwise> addcdiv_call(const at::Scalar& value) {
  const auto factor = number_in(at::kFloat, value);
  if (!factor)
    return std::nullopt;
  return Pointwise{vec::functions().addcdiv, {*factor}};
}

} // namespace

at::Tensor addcdiv(
    const at::Tensor& self,
    const at::Tensor& tensor1,
    const at::Tensor& tensor2,
    const at::Scalar& value) {
  at::Tensor dst = pointwise(addcdiv_call(value), self, tensor1, tensor2);
  return dst.defined() ? dst : fallback<at::_ops::addcdiv>(self, tensor1, tensor2, value);
}

at::Tensor& addcdiv_(at::Tensor& self, const at::Tensor& tensor1, const at::Tensor& tensor2, const at::Scalar& value) {
  return pointwise_into(addcdiv_call(value), self, self, tensor1, tensor2)
      ? self
      : fallback<at::_ops::addcdiv_>(self, tensor1, tensor2, value);
}

at::Tensor& addcdiv_out(
    const at::Tensor& self,
    const at::Tensor& tensor1,
    const at::Tensor& tensor2,
    const at::Scalar& value,
    at::Tensor& out) {
  return pointwise_into(addcdiv_call(value), out, self, tensor1, tensor2)
      ? out
      : fallback<at::_ops::addcdiv_out>(self, tensor1, tensor2, value, out);
}

} // namespace ipex::ops
