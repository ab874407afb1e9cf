// Element-wise operators on our own loops (csrc/vec): broadcasting, any strides, physical forms; f32, bf16, f16, and bf16
// beside f32.
//
//   if (auto dst = pointwise({vec::functions().silu}, self); dst.defined())
//     return dst;
//   return fallback<at::_ops::silu>(self);
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>

#include "vec/functions.h"

namespace ipex::ops {

using vec::Pointwise;

// `scalar` as `dtype` holds it, in float32; nothing when it is complex.
std::optional<float> number_in(c10::ScalarType dtype, const at::Scalar& scalar);

namespace detail {

using Sources = c10::ArrayRef<const at::Tensor*>;

at::Tensor pointwise(const Pointwise& call, Sources src);
bool pointwise_into(const Pointwise& call, const at::Tensor& dst, Sources src);

} // namespace detail

// A new tensor with the strides that stock PyTorch gives it, lying in memory as the first source of its size does.
// Undefined when there is no call, or a source is none for these loops: other dtypes, no elements, more than 6 dimensions, shapes that do
// not broadcast. Sources may be CPU scalars of 0 dimensions, and masks (bool) where the function takes one.
template <class... Tensors>
at::Tensor pointwise(const std::optional<Pointwise>& call, const Tensors&... src) {
  if (!call)
    return {};
  const std::array<const at::Tensor*, sizeof...(src)> pointers{&src...};
  return detail::pointwise(*call, pointers);
}

// The same into `dst`, which has the size and dtype of the result and may be one of the sources. False, with nothing
// written, when these loops cannot do it: also when `dst` overlaps itself or a source.
template <class... Tensors>
bool pointwise_into(const std::optional<Pointwise>& call, const at::Tensor& dst, const Tensors&... src) {
  const std::array<const at::Tensor*, sizeof...(src)> pointers{&src...};
  return call && detail::pointwise_into(*call, dst, pointers);
}

} // namespace ipex::ops
