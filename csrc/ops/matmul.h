// What the operators that multiply matrices share: alpha * src x weights + beta * dst, for matrices and batches of them.
#pragma once

#include <ATen/core/Tensor.h>

namespace ipex::ops {

// Whether both are [(B,) M, K] and [(B,) K, N] of one floating-point dtype, with elements.
bool multipliable(const at::Tensor& a, const at::Tensor& b, int64_t rank);

// alpha * a x b + beta * self (undefined: none; otherwise expandable to the result). Undefined when the call is for the
// fallback.
at::Tensor multiply(
    const at::Tensor& self,
    const at::Tensor& a,
    const at::Tensor& b,
    int64_t rank,
    const at::Scalar& beta = 0,
    const at::Scalar& alpha = 1);

// The same into `out`, which may be `self` but overlap nothing otherwise. False when the call is for the fallback.
bool multiply_into(
    const at::Tensor& out,
    const at::Tensor& self,
    const at::Tensor& a,
    const at::Tensor& b,
    int64_t rank,
    const at::Scalar& beta = 0,
    const at::Scalar& alpha = 1);

// Whether `self` can be added to a result of `sizes` and dtype `like`, with these factors.
bool addable(
    const at::Tensor& self,
    const at::Tensor& like,
    c10::IntArrayRef sizes,
    const at::Scalar& beta,
    const at::Scalar& alpha);

// Gives `out` the shape `sizes` if it has no elements. False when the fallback has to judge it: another dtype or shape,
// or memory in common with one of `inputs`.
bool prepare_out(const at::Tensor& out, const at::Tensor& like, c10::IntArrayRef sizes, at::TensorList inputs);

} // namespace ipex::ops
