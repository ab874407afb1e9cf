// One thread's share of a product of int8 matrices.
#pragma once

#include "simd/kernels.h"
#include "simd/vector.h"

namespace ipex::simd::IPEX_SIMD {

// Null where the instruction set has no sums of products of bytes.
extern const ByteProductKernel kByteProduct;

} // namespace ipex::simd::IPEX_SIMD
