// One thread's share of a product of matrices.
#pragma once

#include "simd/kernels.h"
#include "simd/vector.h"

namespace ipex::simd::IPEX_SIMD {

int64_t matrix_product_scratch();

void matrix_product(const MatrixProduct& product, const ProductBlock& block, float* scratch);

} // namespace ipex::simd::IPEX_SIMD
