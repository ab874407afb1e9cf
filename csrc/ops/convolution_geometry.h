// What convolution and its backward share: which calls oneDNN takes, and how their operands look to it.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "onednn/convolution.h"

namespace ipex::ops {

struct ConvolutionArguments {
  c10::IntArrayRef stride;
  c10::IntArrayRef padding;
  c10::IntArrayRef dilation;
  bool transposed;
  c10::IntArrayRef output_padding;
  int64_t groups;
};

// A call in oneDNN's terms; `spec` is complete but for its kind and bias.
struct ConvolutionCall {
  onednn::Convolution spec;
  onednn::Layout weights; // strides of PyTorch's weights, seen with the sizes that oneDNN wants
  c10::DimVector dst_sizes;
  c10::DimVector dst_strides; // as stock PyTorch gives them
};

// Nothing when the fallback has to serve, or to refuse, the call: unbatched or empty tensors, dtypes without kernels,
// shapes and parameters that do not fit, scalars.
std::optional<ConvolutionCall> convolution_call(
    const at::Tensor& src,
    const at::Tensor& weights,
    const ConvolutionArguments& arguments);

} // namespace ipex::ops
