// Gradients of convolutions as products of matrices by our own loops: pixels are rows that are read where they lie.
#pragma once

#include <dnnl.hpp>

#include "ops/convolution_geometry.h"

namespace ipex::ops {

// Whether our loops are the faster way to the gradient of src (of strided 1x1 kernels, which meet few of the pixels) and
// to that of the weights.
bool takes_tiled_diff_src(const ConvolutionCall& call);
bool takes_tiled_diff_weights(const ConvolutionCall& call);

// How the weights have to be seen for the gradient of src: input and output channels exchanged.
onednn::Layout exchange_channels(onednn::Layout weights);

// All activations lie in channels-last order. `weights` is packed as tiled_product.h's panels(exchange_channels()).
void tiled_diff_src(const ConvolutionCall& call, const void* diff_dst, const void* weights, void* diff_src);

// diff_weights [O, ..., I]: channels-last order. False when it has NaN that padding may have made, which is read as zeros
// here and left out by other kernels: infinity times zero is NaN.
bool tiled_diff_weights(const ConvolutionCall& call, const void* src, const void* diff_dst, void* diff_weights);

} // namespace ipex::ops
