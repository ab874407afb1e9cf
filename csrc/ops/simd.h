// Which build of our own loops this machine runs.
#pragma once

#include "simd/kernels.h"

namespace ipex::ops {

// Null below AVX2. Follows oneDNN's choice, and with it IPEX_MAX_ISA and ONEDNN_MAX_CPU_ISA.
const simd::Kernels* simd_kernels();

// Whether it is the one with AVX-512.
bool has_avx512_loops();

} // namespace ipex::ops
