// Our own products of matrices (csrc/simd/matrix_product.cpp) on all threads.
#pragma once

#include <c10/util/FunctionRef.h>

#include <string>

#include "core/profile.h"
#include "onednn/layout.h"
#include "onednn/verbose.h"
#include "simd/kernels.h"

namespace ipex::ops {

// Whether they serve here. oneDNN 3.2 leaves up to a third of the arithmetic unused with AVX2 and up to a quarter with
// AVX-512, where weights come from far away.
bool takes_tiled_products(dnnl::memory::data_type dtype);

// The packed layout of weights [N, K] or [N, K, 1...]: panels of 16 outputs, [N / 16, K, 16].
dnnl::memory::desc panels(const onednn::Layout& weights);

// Runs `product`, on one thread inside a parallel region.
void run_tiled(const simd::MatrixProduct& product);

// The same, and calls `finish` with each part of dst while that is in the cache.
void run_tiled(const simd::MatrixProduct& product, c10::function_ref<void(const simd::ProductBlock&)> finish);

// Notes one execution for ipex.explain() and, while it lives, times it for profilers, which ask for `details`, and for the log
// that ONEDNN_VERBOSE asks for, which has a line with the `problem`.
class TiledExecution {
 public:
  TiledExecution(
      const char* primitive,
      c10::function_ref<std::string()> problem,
      c10::function_ref<profile::Details()> details);

 private:
  onednn::LoggedExecution log_;
  profile::Kernel profiled_;
};

} // namespace ipex::ops
