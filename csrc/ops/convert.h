// Which tensors our own loops read, and conversions of runs of values between their dtype and float32.
#pragma once

#include <ATen/core/Tensor.h>

#include "vec/functions.h"

namespace ipex::ops {

// Strided, f32, bf16 or f16, at most 6 dimensions, without lazy conjugation or negation. Unlike forms::readable this
// holds on every instruction set: our own loops compute in float32.
inline bool is_plain_float(const at::Tensor& tensor) {
  return tensor.defined() && tensor.layout() == at::kStrided && !tensor.is_nested() && tensor.dim() <= 6 &&
      !tensor.is_neg() &&
      (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16 ||
       tensor.scalar_type() == at::kHalf);
}

inline void to_float(c10::ScalarType dtype, const void* src, float* dst, int64_t count) {
  const auto& functions = vec::functions();
  (dtype == at::kBFloat16 ? functions.bfloat16_to_float : functions.half_to_float)(src, dst, count);
}

inline void from_float(c10::ScalarType dtype, const float* src, void* dst, int64_t count) {
  const auto& functions = vec::functions();
  (dtype == at::kBFloat16 ? functions.float_to_bfloat16 : functions.float_to_half)(src, dst, count);
}

} // namespace ipex::ops
