// Shapes and parameters of layer normalisation.
#include "ops/layer_norm_rows.h"

#include "aten/on_device.h"
#include "forms/storage.h"
#include "ops/convert.h"

namespace ipex::ops {

std::optional<LayerNormRows> layer_norm_rows(const at::Tensor& input, c10::IntArrayRef normalized_shape) {
  if (!on_device(input) || !is_plain_float(input) || input.numel() == 0 || normalized_shape.empty() ||
      input.dim() < static_cast<int64_t>(normalized_shape.size()) ||
      input.sizes().slice(input.dim() - normalized_shape.size()) != normalized_shape)
    return std::nullopt;
  const int64_t channels = c10::multiply_integers(normalized_shape);
  if (channels == 1)
    return std::nullopt;
  return LayerNormRows{input.numel() / channels, channels};
}

bool layer_norm_accepts(
    const std::optional<at::Tensor>& parameter,
    const at::Tensor& input,
    c10::IntArrayRef normalized_shape) {
  return !is_given(parameter) ||
      (is_plain_float(*parameter) && parameter->sizes() == normalized_shape &&
       (parameter->scalar_type() == at::kFloat || parameter->scalar_type() == input.scalar_type()));
}

c10::ScalarType layer_norm_statistics(
    const at::Tensor& input,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias) {
  const bool wide = (is_given(weight) && weight->scalar_type() == at::kFloat) ||
      (is_given(bias) && bias->scalar_type() == at::kFloat);
  return wide ? at::kFloat : input.scalar_type();
}

Floats::Floats(const std::optional<at::Tensor>& tensor) {
  if (!is_given(tensor))
    return;
  tensor_ = tensor->contiguous();
  const void* bytes = read_bytes(tensor_);
  data_ = static_cast<const float*>(bytes);
  if (tensor_.scalar_type() == at::kFloat)
    return;
  copy_.resize(tensor_.numel());
  to_float(tensor_.scalar_type(), bytes, copy_.data(), tensor_.numel());
  data_ = copy_.data();
}

} // namespace ipex::ops
