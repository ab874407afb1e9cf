// What the operators that compute in int8 share: the result, open if it can be, and the bias.
#pragma once

#include "forms/operand.h"
#include "fusion/open_primitive.h"

namespace ipex::ops {

// The values of a bias; empty when there is none.
inline std::vector<float> bias_values(const std::optional<at::Tensor>& bias) {
  if (!bias || !bias->defined())
    return {};
  const auto values = forms::read_as(*bias, {1});
  const auto* first = static_cast<const float*>(values.data);
  return {first, first + values.layout.elements()};
}

// What `base` computes of `src`, as make_result() would make it; open, if may_open(tensors).
inline at::Tensor quantized_result(
    std::shared_ptr<const fusion::Base> base,
    const forms::Operand& src,
    std::initializer_list<const at::Tensor*> tensors,
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    c10::IntArrayRef physical) {
  if (fusion::may_open(tensors))
    return fusion::open(std::move(base), fusion::Held{src, {}}, sizes, strides, physical);
  const auto dst = forms::make_result(sizes, strides, physical, (*tensors.begin())->options());
  base->run(dst.data, {});
  return dst.tensor;
}

} // namespace ipex::ops
