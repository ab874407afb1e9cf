// Passes over values that oneDNN's kernels treat differently from PyTorch's: NaN, infinities and huge numbers.
//
// They read what the neighbouring kernel reads as well, so they cost cache bandwidth, a few percent of the kernel.
#pragma once

#include <ATen/core/Tensor.h>

namespace ipex::ops {

// Makes row r of `dst` NaN when row r of `src` holds a NaN, +inf or nothing but -inf: what exp(x - max) / sum is there.
// Both contiguous, floating point, of the same dtype; a row is `channels` elements.
void spread_nan(const at::Tensor& src, const at::Tensor& dst, int64_t channels);

// Whether `tensor` holds a NaN or +inf. Elements adjacent in memory.
bool has_nan_or_positive_infinity(const at::Tensor& tensor);

// Whether -bound <= x <= bound for every x; false when there is a NaN. Elements adjacent in memory.
bool all_within(const at::Tensor& tensor, float bound);

} // namespace ipex::ops
