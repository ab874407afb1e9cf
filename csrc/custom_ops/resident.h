// Resident weights: copies of CPU weights on the device, where packed copies can be kept.
//
// The copy belongs to the memory of the CPU tensor and dies with it. It is made at the second use in the same order, and dropped when PyTorch
// hands out the weight's bytes for writing: an in-place operator, `.data`, load_state_dict, an optimizer. What PyTorch cannot
// see (a NumPy array, memory of another process) is not written through memory that PyTorch's own CPU allocator made; other
// memory gets no copy.
#pragma once

#include <ATen/core/Tensor.h>

namespace ipex::custom_ops {

// `weight`, a strided CPU tensor, as an ipex tensor of `dtype` for reading: its resident copy, or its own bytes.
at::Tensor resident(const at::Tensor& weight, at::ScalarType dtype);

// How many bytes of CPU weights have a copy now.
int64_t resident_bytes();

} // namespace ipex::custom_ops
