// Narrow values: bfloat16 beside, or instead of, the float32 values of a storage.
//
// Element i of the narrow storage belongs to element i of the wide one, so a view of the wide storage is the same view
// of the narrow one, and the narrow storage is an ordinary one: it has a physical form and packed copies of its own.
//
//   y  float32 [1, 64, 8, 8], the result of a convolution in low precision: the form of its storage has `narrow`, a
//      bfloat16 storage in channels-last order, and no other values
//   narrow(y[:, 32:])   a bfloat16 tensor over it with the same sizes, strides and offset: no copy
//   y.sum()             a float32 kernel reads y: float32 values are made, in the same order, and kept beside
//   w  float32, a weight: `narrow` is a cache, dropped when somebody writes w
#pragma once

#include <ATen/core/Tensor.h>

namespace ipex::forms {

// Whether the values were last computed in bfloat16. Reading them in whatever way does not change that.
bool is_narrow(const at::Tensor& tensor);

// Whether there are no float32 values: reading them would make them.
bool is_only_narrow(const at::Tensor& tensor);

// The values of the float32 `tensor` as bfloat16, rounded to nearest even where they are not that already; perhaps kept
// on the storage. Not to be written.
at::Tensor narrow(const at::Tensor& tensor);

// The same for writing in place; wrote_narrow() ends it. Undefined when nobody may see the values change that way.
at::Tensor narrow_for_update(const at::Tensor& tensor);
void wrote_narrow(const at::Tensor& tensor);

// A new float32 tensor with the values of the bfloat16 tensor `values`, whose storage nobody else uses.
at::Tensor shown_wide(const at::Tensor& values);

// The values of the bfloat16 `tensor` as float32; perhaps kept on the storage. Not to be written.
at::Tensor wide(const at::Tensor& tensor);

// A copy of `tensor` with its strides, if they are dense, and as it lies: from float32 to bfloat16 and back.
at::Tensor narrow_copy(const at::Tensor& tensor);
at::Tensor wide_copy(const at::Tensor& tensor);

// count values, in parallel.
void to_narrow(const float* src, void* dst, int64_t count);
void to_wide(const void* src, float* dst, int64_t count);

} // namespace ipex::forms
