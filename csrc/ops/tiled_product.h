// Our own products of matrices (csrc/simd/matrix_product.cpp) on all threads.
#pragma once

#include <c10/util/FunctionRef.h>

#include <string>

#include "onednn/layout.h"
#include "simd/kernels.h"

namespace ipex::ops {

// Whether they are faster than oneDNN's kernels here. oneDNN 3.2 leaves up to a third of the arithmetic unused with AVX2,
// next to nothing with AVX-512.
bool takes_tiled_products(dnnl::memory::data_type dtype);

// The name that ipex.explain() and the log show.
constexpr const char* kTiledImplementation = "ipex:avx2";

// Weights [N, K, ...] as they have to be seen for packing, and the packed layout: panels of 16 outputs,
// [N / 16, ..., K, 16].
onednn::Layout panel_view(const onednn::Layout& weights);
dnnl::memory::desc panels(const onednn::Layout& view);

// Runs `product`. `op` is its name in ipex.explain(), `problem` describes it in the log that ONEDNN_VERBOSE asks for.
void run_tiled(const char* op, const simd::MatrixProduct& product, c10::function_ref<std::string()> problem);

} // namespace ipex::ops
