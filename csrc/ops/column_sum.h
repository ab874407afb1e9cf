// Sums of the columns of a matrix: the gradient of a bias.
#pragma once

#include "forms/operand.h"

namespace ipex::ops {

// dst[c] = sum over r of src[r, c], for float32 or bfloat16 `src` [rows, columns] adjacent in memory and `dst` of the
// same type. Sums are float32, in blocks, so that they lose little with many rows.
void column_sum(const void* src, void* dst, int64_t rows, int64_t columns, at::ScalarType dtype);

} // namespace ipex::ops
