// What both directions of layer normalisation need to know about their operands.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "onednn/layout.h"

namespace ipex::ops {

// [rows, channels] of `input` made contiguous, with the channels in the dimensions of `normalized_shape`; nothing when
// the shapes do not fit, when there are no elements or one channel only (the result is rounding error, and people
// compare it with stock PyTorch's), or when the dtype is not float32.
inline std::optional<onednn::Layout> layer_norm_rows(const at::Tensor& input, c10::IntArrayRef normalized_shape) {
  if (input.scalar_type() != at::kFloat || input.numel() == 0 || normalized_shape.empty() ||
      input.dim() < static_cast<int64_t>(normalized_shape.size()) ||
      input.sizes().slice(input.dim() - normalized_shape.size()) != normalized_shape)
    return std::nullopt;
  const int64_t channels = c10::multiply_integers(normalized_shape);
  if (channels == 1)
    return std::nullopt;
  return onednn::Layout::dense(dnnl::memory::data_type::f32, {input.numel() / channels, channels});
}

// Whether weight or bias is absent, or a float32 tensor of the normalised shape whose elements are adjacent.
inline bool layer_norm_accepts(const std::optional<at::Tensor>& parameter, c10::IntArrayRef normalized_shape) {
  return !parameter || !parameter->defined() ||
      (parameter->scalar_type() == at::kFloat && parameter->sizes() == normalized_shape && parameter->is_contiguous());
}

inline bool is_given(const std::optional<at::Tensor>& tensor) {
  return tensor && tensor->defined();
}

} // namespace ipex::ops
