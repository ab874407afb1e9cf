// Leaves a product's result open for the operators after it (fusion/open_primitive.h).
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/product.h"

namespace ipex::ops {

// The open result of `sizes`, contiguous, of the operator `name`. `product` was planned for `operand`, the values of
// `src`, with `weights`, and `bias` or none (`shift`: its values), and is moved from. Undefined, and `product` as before,
// when it is to run now: other dtypes, factors, few numbers, gradients, operands that cannot be watched.
at::Tensor open_product(
    const char* name,
    Product& product,
    const at::Tensor& src,
    const forms::Operand& operand,
    const at::Tensor& weights,
    const at::Tensor& bias,
    const forms::Operand& shift,
    c10::IntArrayRef sizes);

} // namespace ipex::ops
