// Linear layer in int8.
#pragma once

#include <ATen/core/Tensor.h>

#include "int8/turn.h"

namespace ipex::ops {

// The result of linear(input, weight, bias), a call that fits it, with input and weights rounded as `turn` says. Undefined
// when oneDNN has no kernel, or a weight is not finite: then it is to be computed in float32.
at::Tensor quantized_linear(
    const int8::Turn& turn,
    const at::Tensor& input,
    const at::Tensor& weight,
    const std::optional<at::Tensor>& bias);

} // namespace ipex::ops
