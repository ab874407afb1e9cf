// Declares the kernel of every row of registry.inc with the signature that PyTorch gives to the operator.
//
// An operator file that defines its kernel with another signature defines an overload; the declared one is then missing
// when the library is linked.
#pragma once

#include <ATen/Operators.h>
#include <ATen/core/boxing/KernelFunction.h>

namespace ipex::ops {

#define IPEX_OP(op, file) c10::fn_remove_symint<at::_ops::op::schema>::type op;
#include "ops/registry.inc"
#undef IPEX_OP

} // namespace ipex::ops
