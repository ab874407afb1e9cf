// One thread's share of a product of matrices.
#pragma once

#include "simd/kernels.h"
#include "simd/vector.h"

namespace ipex::simd::IPEX_SIMD {

// A tile is one panel wide with AVX2, whose 16 registers are 12 sums, 2 numbers of the panel and one of a row, and two with
// AVX-512: 28, 2 and one of 32. (With one panel there would be as many loads as multiplications.)
constexpr int kTileRows = kLanes == 16 ? 14 : 6;
constexpr int kTilePanels = kLanes == 16 ? 2 : 1;

int64_t matrix_product_scratch();

void matrix_product(const MatrixProduct& product, const ProductBlock& block, float* scratch);

} // namespace ipex::simd::IPEX_SIMD
