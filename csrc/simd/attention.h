// The kernels of attention.cpp and attention_backward.cpp.
#pragma once

#include "simd/kernels.h"
#include "simd/vector.h"

namespace ipex::simd::IPEX_SIMD {

int64_t attention_scratch(const Attention& call);
int64_t attention_rows(const Attention& call);
void attention(const Attention& call, int64_t begin, int64_t end, float* scratch);
int64_t attention_backward_scratch(const AttentionBackward& call);
void attention_backward(const AttentionBackward& call, int64_t begin, int64_t end, float* scratch);

} // namespace ipex::simd::IPEX_SIMD
