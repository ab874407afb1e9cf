// Sums of float32 tensors over some of their dimensions, in whatever order these lie in memory.
//
// Block by block in float32 with many accumulators, then in float64: at least as accurate as stock PyTorch's cascade.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace ipex::ops {

// The sum of `self` over `dims` (none or empty: all), or the mean. Nothing when the fallback has to serve, or to refuse,
// the call: other dtypes, no elements, scalars, gaps in memory, dimensions that do not fit, kept and reduced
// dimensions that alternate more than twice in memory.
std::optional<at::Tensor> reduce(
    const at::Tensor& self,
    at::OptionalIntArrayRef dims,
    bool keepdim,
    std::optional<at::ScalarType> dtype,
    bool mean);

} // namespace ipex::ops
