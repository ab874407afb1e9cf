// Open float32 primitives whose results are bfloat16 tensors: what computes bfloat16 where the machine cannot.
#pragma once

#include <ATen/core/Tensor.h>

namespace ipex::fusion {

// A new bfloat16 tensor that is open instead of `wide`: the same primitive and the steps that join compute in float32, and
// are rounded once. Undefined when `wide` is not a primitive without steps.
at::Tensor rounded(const at::Tensor& wide);

} // namespace ipex::fusion
