// Pooling of int8 values.
#pragma once

#include "int8/turn.h"
#include "ops/pooling.h"

namespace ipex::ops {

// As average_pool() and max_pool(), for float32 tensors that are read, and whose results are held, as `turn` says.
at::Tensor quantized_average_pool(const int8::Turn& turn, const PoolCall& call, const at::Tensor& src, int64_t divisor);
at::Tensor quantized_max_pool(const int8::Turn& turn, const PoolCall& call, const at::Tensor& src);

} // namespace ipex::ops
