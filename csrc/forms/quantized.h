// Quantized values: int8 or uint8 beside, or instead of, the float32 values of a storage.
//
// A result that was computed in int8 is *due*: its form says how to round it, and that happens when the first kernel
// reads it as int8. From then on the rounded values are the values; who reads float32 gets them. A float32 tensor that is
// not due can be read as int8 too; that is a cache.
//
//   y = conv(x)  in int8: open and due, {u8, 20}
//   relu(y)      extends the primitive: nothing is rounded yet
//   conv2(z)     reads z = relu(y) as int8: the primitive writes uint8 values
//   z.sum()      a float32 kernel: q / 20
#pragma once

#include <ATen/core/Tensor.h>

#include "core/visibility.h"
#include "forms/operand.h"

namespace ipex::forms {

// Whether the values exist as int8 only: reading them as float32 would make those.
bool is_only_quantized(const at::Tensor& tensor);

// What the result of an operator in int8 is due to become; nothing when `tensor` is none, or written since.
std::optional<Quantization> due(const at::Tensor& tensor);
// `is_fresh`: `tensor` was just made, and nobody has seen its memory. A part of a storage cannot be due: then nothing is.
void set_due(const at::Tensor& tensor, const std::optional<Quantization>& due, bool is_fresh);

// Whether `tensor` is due and not rounded yet.
bool is_unrounded(const at::Tensor& tensor);

// Which operator made it; forgotten when somebody writes it.
Origin origin(const at::Tensor& tensor);
void set_origin(const at::Tensor& tensor, const Origin& origin);

// `tensor` (float32) for reading as int8, lying as `strides` (dense, in elements) says. What is due is rounded as it is
// due, anything else as `otherwise` says. The operand stays valid, whatever becomes of the tensor.
Operand read_quantized(const at::Tensor& tensor, const Quantization& otherwise, c10::IntArrayRef strides);

// `tensor` as a kernel in int8 reads what it does not convert: int8 if that is due, float32 otherwise. Strides as it lies.
Operand read_due(const at::Tensor& tensor);

// `tensor` in int8 where that is all there is, in float32 otherwise: the same values as read() gives.
Operand read_held(const at::Tensor& tensor);

// `operand`, int8 or float32, lying as `strides` say; copied if it lies otherwise.
Operand ordered(Operand operand, c10::IntArrayRef strides);

// A new float32 tensor whose values a kernel is to write as int8, at `data`. Strides as in make_result.
struct QuantizedResult {
  at::Tensor tensor;
  void* data;
};
QuantizedResult make_quantized_result(
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    c10::IntArrayRef physical,
    const Quantization& as);

// count values, in parallel.
void quantize(const float* src, void* dst, int64_t count, const Quantization& as);
void dequantize(const void* src, float* dst, int64_t count, const Quantization& as);

} // namespace ipex::forms
