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
  int64_t groups = 1;
  bool channels_last = false; // whether stock PyTorch gives its results channels-last strides

  bool onednn_in_stock = false; // whether stock PyTorch uses oneDNN too

  // The strides that stock PyTorch gives to dst or diff_src of `sizes`, and to diff_weights.
  c10::DimVector strides(c10::IntArrayRef sizes) const;
  c10::DimVector diff_weights_strides(c10::IntArrayRef sizes) const;
};

// [O, I, ...] of a weight tensor, or [G, O/G, I/G, ...]; the strides follow the split. `transposed` weights are
// [I, O/G, ...] in PyTorch.
onednn::Layout convolution_weights(const at::Tensor& weights, bool transposed, int64_t groups);

// Nothing when the fallback has to serve, or to refuse, the call: unbatched or empty tensors, dtypes without kernels,
// shapes and parameters that do not fit, scalars.
std::optional<ConvolutionCall> convolution_call(
    const at::Tensor& src,
    const at::Tensor& weights,
    const ConvolutionArguments& arguments);

} // namespace ipex::ops
