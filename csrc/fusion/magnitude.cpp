// Finds the largest magnitude among values.
#include "fusion/magnitude.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "vec/rows.h"

namespace ipex::fusion {

float largest_magnitude(const void* values, int64_t count, dnnl::memory::data_type dtype) {
  constexpr int64_t kGrain = 1 << 15;
  const auto& functions = vec::row_functions();
  const uint32_t largest = at::parallel_reduce(
      0,
      count,
      kGrain,
      uint32_t{0},
      [&](int64_t begin, int64_t end, uint32_t) {
        return dtype == dnnl::memory::data_type::bf16
            ? functions.largest_magnitude_bfloat16(static_cast<const uint16_t*>(values) + begin, end - begin)
            : functions.largest_magnitude(static_cast<const float*>(values) + begin, end - begin);
      },
      [](uint32_t a, uint32_t b) { return std::max(a, b); });
  const auto magnitude = std::bit_cast<float>(largest);
  return magnitude <= std::numeric_limits<float>::max() ? magnitude : std::numeric_limits<float>::infinity();
}

float largest_magnitude(const forms::PackedWeights& weights, dnnl::memory::data_type dtype) {
  const forms::Buffer& buffer = *weights.buffer;
  float magnitude = buffer.magnitude.load(std::memory_order_relaxed);
  if (magnitude < 0) {
    const size_t count = buffer.nbytes / dnnl::memory::data_type_size(dtype);
    magnitude = largest_magnitude(weights.data, static_cast<int64_t>(count), dtype);
    buffer.magnitude.store(magnitude, std::memory_order_relaxed);
  }
  return magnitude;
}

HeldBias::HeldBias(const forms::Operand& values) : dtype_(values.layout.dtype) {
  const size_t nbytes = values.layout.elements() * dnnl::memory::data_type_size(dtype_);
  const auto* first = static_cast<const char*>(values.data);
  bytes_.assign(first, first + nbytes);
}

float HeldBias::largest_magnitude() const {
  const size_t count = bytes_.size() / dnnl::memory::data_type_size(dtype_);
  return fusion::largest_magnitude(bytes_.data(), static_cast<int64_t>(count), dtype_);
}

float Held::known_bound() const {
  if (forms::is_byte(operand.layout.dtype))
    return forms::Quantization{operand.layout.dtype, operand.scale}.bound();
  forms::Form* form = storage ? forms::Form::of(*storage.unsafeGetStorageImpl()) : nullptr;
  if (form == nullptr)
    return std::numeric_limits<float>::infinity();
  const forms::Form::Lock lock(*form);
  return form->bound == forms::Form::kUnknown ? std::numeric_limits<float>::infinity() : form->bound;
}

float Held::bound(bool exactly) const {
  if (const float known = known_bound(); forms::is_byte(operand.layout.dtype) || (std::isfinite(known) && !exactly))
    return known;
  forms::Form* form = storage ? forms::Form::of(*storage.unsafeGetStorageImpl()) : nullptr;
  const float found = largest_magnitude(operand.data, operand.layout.elements(), operand.layout.dtype);
  const size_t nbytes = operand.layout.elements() * dnnl::memory::data_type_size(operand.layout.dtype);
  const bool all = form != nullptr && nbytes == storage.nbytes();
  if (all) {
    const forms::Form::Lock lock(*form);
    form->bound = found;
  }
  return found;
}

double bound_of_sums(const Held& src, float largest_weight, int64_t products, const HeldBias& bias, bool needed) {
  // Bounds grow from layer to layer; beyond this one it is time to look at the values again.
  constexpr double kTight = 1e30;
  const double gain = largest_weight * static_cast<double>(products);
  const double shift = bias.largest_magnitude();
  const double bound = (needed ? src.bound() : src.known_bound()) * gain + shift;
  return needed && bound > kTight ? src.bound(/*exactly=*/true) * gain + shift : bound;
}

} // namespace ipex::fusion
