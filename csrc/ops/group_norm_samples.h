// What both directions of group normalisation share.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace ipex::ops {

// Whether `src` is float32 [N, C, ...] of 2 to 5 dimensions with N * C * HxW elements in `group` groups, and `weight` and
// `bias` are absent or contiguous float32 vectors of C elements.
bool group_norm_fits(
    const at::Tensor& src,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias,
    int64_t batch,
    int64_t channels,
    int64_t plane,
    int64_t groups);

} // namespace ipex::ops
