// What both directions of layer normalisation need to know about their operands.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

namespace ipex::ops {

struct LayerNormRows {
  int64_t rows, channels;
};

// [rows, channels] of `input` with the channels in the dimensions of `normalized_shape`; nothing when the shapes do not
// fit, when there are no elements or one channel only (the result is rounding error, and people compare it with stock
// PyTorch's), or when the dtype is none of f32, bf16 and f16.
std::optional<LayerNormRows> layer_norm_rows(const at::Tensor& input, c10::IntArrayRef normalized_shape);

// Whether weight or bias is absent, or of the normalised shape and f32 or the dtype of `input`.
bool layer_norm_accepts(
    const std::optional<at::Tensor>& parameter,
    const at::Tensor& input,
    c10::IntArrayRef normalized_shape);

// The dtype of mean and rstd: float32 when a parameter is, else that of `input`.
c10::ScalarType layer_norm_statistics(
    const at::Tensor& input,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias);

inline bool is_given(const std::optional<at::Tensor>& tensor) {
  return tensor && tensor->defined();
}

// Values of a small tensor in float32: its own memory, or a copy that lives as long as this.
class Floats {
 public:
  explicit Floats(const std::optional<at::Tensor>& tensor);

  const float* data() const {
    return data_;
  }

 private:
  at::Tensor tensor_;
  std::vector<float> copy_;
  const float* data_ = nullptr;
};

} // namespace ipex::ops
