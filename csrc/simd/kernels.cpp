// The table of this instruction set's kernels.
#include "simd/kernels.h"

#include "simd/attention.h"
#include "simd/byte_product.h"
#include "simd/matrix_product.h"
#include "simd/recurrent.h"

namespace ipex::simd::IPEX_SIMD {

const Kernels kKernels{
    attention_scratch,
    attention_backward_scratch,
    attention_rows,
    attention,
    attention_backward,
    recurrent_step,
    recurrent_backward_gates,
    recurrent_backward_state,
    matrix_product_scratch,
    matrix_product,
    kTileRows,
    kByteProduct,
    sum_rows,
};

} // namespace ipex::simd::IPEX_SIMD
