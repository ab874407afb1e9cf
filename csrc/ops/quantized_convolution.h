// Convolution in int8.
#pragma once

#include <ATen/core/Tensor.h>

#include "int8/turn.h"
#include "ops/convolution_geometry.h"

namespace ipex::ops {

// The result of the call with src and weights rounded as `turn` says. Undefined when oneDNN has no kernel, or a weight is not
// finite: then it is to be computed in float32.
at::Tensor quantized_convolution(
    const int8::Turn& turn,
    const ConvolutionCall& call,
    const at::Tensor& input,
    const at::Tensor& weight,
    const std::optional<at::Tensor>& bias);

} // namespace ipex::ops
