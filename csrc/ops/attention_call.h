// What the attention operators share: which calls our kernel takes, and how it is run on all cores.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "forms/operand.h"
#include "ops/simd.h"

namespace ipex::ops {

// A call and the tensors whose memory it points to. The results are still missing.
struct AttentionCall {
  simd::Attention spec{};
  std::vector<forms::Operand> operands;
};

// Nothing when the fallback has to serve, or to refuse, the call: other dtypes than the machine's, sizes that do not fit
// or differ between keys and values, no elements.
std::optional<AttentionCall> attention_call(
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    const std::optional<at::Tensor>& mask,
    std::optional<double> scale);

simd::Heads heads_of(const void* data, c10::IntArrayRef strides);

// Strides of [batch, heads, tokens, size] that lies in memory as [batch, tokens, heads, size].
c10::DimVector token_major_strides(c10::IntArrayRef sizes);

// Runs a complete call.
void run_attention(const simd::Attention& call);

} // namespace ipex::ops
