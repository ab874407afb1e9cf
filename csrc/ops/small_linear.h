// linear for so few numbers that calling a oneDNN primitive would cost more than computing.
#pragma once

#include "forms/operand.h"

namespace ipex::ops {

// Multiplications below which small_linear is the faster way.
constexpr int64_t kSmallLinear = 16384;

// dst[r, o] = bias[o] + sum over i of src[r, i] * weights[o, i]; float32, elements of src, bias (or null) and dst adjacent
// in memory, rows of weights `stride` apart.
void small_linear(
    const float* src,
    const float* weights,
    const float* bias,
    float* dst,
    int64_t rows,
    int64_t in,
    int64_t out,
    int64_t stride);

} // namespace ipex::ops
