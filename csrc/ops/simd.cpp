// Chooses between the builds of csrc/simd by the instruction set that oneDNN uses.
#include "ops/simd.h"

#include "onednn/engine.h"

namespace ipex::ops {

const simd::Kernels* simd_kernels() {
  static const simd::Kernels* const kernels = []() -> const simd::Kernels* {
    const std::string isa = onednn::cpu_isa();
    if (isa.starts_with("avx512") && __builtin_cpu_supports("avx512f"))
      return &simd::avx512::kKernels;
    return isa.starts_with("avx2") || isa.starts_with("avx512") ? &simd::avx2::kKernels : nullptr;
  }();
  return kernels;
}

bool has_avx512_loops() {
  return simd_kernels() == &simd::avx512::kKernels;
}

} // namespace ipex::ops
