// What the overloads of batch normalisation share: which calls the kernels take, and the forward pass itself.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>

#include "ops/channel_rows.h"

namespace ipex::ops {

struct BatchNormArguments {
  const at::Tensor& src;
  at::Tensor weight; // this and the following may be undefined
  at::Tensor bias;
  at::Tensor running_mean;
  at::Tensor running_var;
};

inline at::Tensor given(const std::optional<at::Tensor>& tensor) {
  return tensor ? *tensor : at::Tensor();
}

// Whether `src` is float32 [N, C, ...] of 2 to 5 dimensions with elements, and every parameter absent or a contiguous
// float32 vector of C elements.
bool batch_norm_fits(const BatchNormArguments& arguments);

// Whether run_batch_norm takes the call: the same, or `src` is bfloat16. Its parameters are float32 then, one at least; in
// evaluation all may be bfloat16.
bool batch_norm_forward_fits(const BatchNormArguments& arguments, bool training);

// The strides that stock PyTorch gives to results that are like `src`.
c10::DimVector batch_norm_strides(const at::Tensor& src);

// dst, save_mean and save_invstd of a call that fits; running statistics are needed in evaluation, and otherwise updated
// where they are given.
std::tuple<at::Tensor, at::Tensor, at::Tensor> run_batch_norm(
    const BatchNormArguments& arguments,
    bool training,
    double momentum,
    double eps);

} // namespace ipex::ops
