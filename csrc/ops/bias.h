// The bias of convolutions and linear layers: of the operands' dtype or, beside bfloat16 operands, float32.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "onednn/layout.h"

namespace ipex::ops {

inline bool takes_bias(const at::Tensor& bias, const at::Tensor& input) {
  return bias.scalar_type() == input.scalar_type() ||
      (bias.scalar_type() == at::kFloat && input.scalar_type() == at::kBFloat16);
}

inline onednn::Bias bias_of(const std::optional<at::Tensor>& bias, const at::Tensor& weight) {
  if (!bias || !bias->defined())
    return onednn::Bias::kNone;
  return bias->scalar_type() == weight.scalar_type() ? onednn::Bias::kOfWeights : onednn::Bias::kFloat;
}

// PyTorch's kernels want one dtype.
inline std::optional<at::Tensor> bias_for_cpu(const std::optional<at::Tensor>& bias, const at::Tensor& weight) {
  const bool is_mixed = bias_of(bias, weight) == onednn::Bias::kFloat && weight.scalar_type() == at::kBFloat16;
  return is_mixed ? bias->to(at::kBFloat16) : bias;
}

} // namespace ipex::ops
