// Runs the softmax family along any dimension of a dense tensor, in the order in which it lies.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace ipex::ops {

// softmax or log_softmax over `dim`, contiguous for PyTorch; undefined for what these loops do not serve: other dtypes
// than f32, bf16 and f16, no elements, a dimension out of range.
at::Tensor softmax_forward(const at::Tensor& self, int64_t dim, bool log);

// The same into `out`, which must be a contiguous tensor of the size and dtype of `self`; false when it is not.
bool softmax_forward_into(const at::Tensor& self, int64_t dim, bool log, const at::Tensor& out);

at::Tensor softmax_backward(const at::Tensor& diff_dst, const at::Tensor& dst, int64_t dim, bool log);

} // namespace ipex::ops
