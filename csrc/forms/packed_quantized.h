// Packed weights in int8: made once of float32 weights, which stay what they are.
#pragma once

#include <optional>

#include "forms/packed.h"

namespace ipex::forms {

// `weights`, seen as `tensor` (float32; its first dimensions, two of them when it has `groups`, are the output channels),
// quantised and in the layout `wanted` (s8). The buffer's `scales` say what values were multiplied by: 127 / max|w| per
// output channel or for all (63 / max|w| on processors without instructions for int8), 1 where there are zeros only. The copy stays on the storage as in pack(). Nothing when a weight
// is not finite. Throws E301.
std::optional<PackedWeights> pack_quantized(
    const at::Tensor& weights,
    const onednn::Layout& tensor,
    bool groups,
    bool per_channel,
    const dnnl::memory::desc& wanted);

} // namespace ipex::forms
