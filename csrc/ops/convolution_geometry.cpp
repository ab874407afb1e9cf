// Translates PyTorch's convolution arguments into oneDNN's.
#include "ops/convolution_geometry.h"

#include <ATen/native/ConvUtils.h>

#include <algorithm>

#include "forms/operand.h"
#include "onednn/engine.h"

namespace ipex::ops {

namespace {

bool all(c10::IntArrayRef values, int64_t at_least) {
  return std::all_of(values.begin(), values.end(), [&](int64_t value) { return value >= at_least; });
}

bool fits(const at::Tensor& src, const at::Tensor& weights, const ConvolutionArguments& a) {
  if (!forms::readable(src) || !forms::readable(weights) || !src.is_floating_point() ||
      src.scalar_type() != weights.scalar_type())
    return false;
  const auto spatial = static_cast<size_t>(src.dim() - 2);
  if (src.dim() < 3 || src.dim() > 5 || weights.dim() != src.dim() || src.numel() == 0 || weights.numel() == 0)
    return false;
  if (a.stride.size() != spatial || a.padding.size() != spatial || a.dilation.size() != spatial ||
      (a.transposed && a.output_padding.size() != spatial))
    return false;
  if (!all(a.stride, 1) || !all(a.padding, 0) || !all(a.dilation, 1) || a.groups < 1)
    return false;
  if (a.transposed) {
    for (size_t i = 0; i < spatial; ++i)
      if (a.output_padding[i] < 0 || a.output_padding[i] >= std::max(a.stride[i], a.dilation[i]))
        return false;
    return weights.size(0) == src.size(1) && src.size(1) % a.groups == 0;
  }
  return weights.size(1) * a.groups == src.size(1) && weights.size(0) % a.groups == 0;
}

// [O, I, ...] of a weight tensor, or [G, O/G, I/G, ...]; the strides follow the split. `transposed` weights are
// [I, O/G, ...] in PyTorch.
onednn::Layout weights_layout(const at::Tensor& weights, bool transposed, int64_t groups) {
  const auto sizes = weights.sizes(), strides = weights.strides();
  c10::DimVector made_sizes, made_strides;
  if (groups > 1) {
    made_sizes = {groups, transposed ? sizes[1] : sizes[0] / groups, transposed ? sizes[0] / groups : sizes[1]};
    made_strides = {sizes[0] / groups * strides[0], strides[transposed ? 1 : 0], strides[transposed ? 0 : 1]};
  } else {
    made_sizes = {sizes[transposed ? 1 : 0], sizes[transposed ? 0 : 1]};
    made_strides = {strides[transposed ? 1 : 0], strides[transposed ? 0 : 1]};
  }
  made_sizes.append(sizes.begin() + 2, sizes.end());
  made_strides.append(strides.begin() + 2, strides.end());
  return onednn::Layout::strided(onednn::data_type(weights.scalar_type()), made_sizes, made_strides);
}

// The format that stock PyTorch gives the result.
c10::DimVector result_strides(const at::Tensor& src, const at::Tensor& weights, c10::IntArrayRef sizes) {
  const auto format = sizes.size() == 3 ? at::MemoryFormat::Contiguous
      : at::native::mkldnn_conv_use_channels_last(src, weights)
      ? (sizes.size() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::ChannelsLast3d)
      : at::MemoryFormat::Contiguous;
  return format == at::MemoryFormat::Contiguous ? forms::row_major_strides(sizes) : forms::channels_last_strides(sizes);
}

} // namespace

std::optional<ConvolutionCall> convolution_call(
    const at::Tensor& src,
    const at::Tensor& weights,
    const ConvolutionArguments& a) {
  if (!fits(src, weights, a))
    return std::nullopt;
  ConvolutionCall call;
  call.dst_sizes = {src.size(0), a.transposed ? weights.size(1) * a.groups : weights.size(0)};
  auto& geometry = call.spec.geometry;
  geometry.spatial = static_cast<int32_t>(src.dim() - 2);
  geometry.transposed = a.transposed;
  for (int i = 0; i < geometry.spatial; ++i) {
    const int64_t in = src.size(i + 2), kernel = a.dilation[i] * (weights.size(i + 2) - 1) + 1;
    const int64_t extra = a.transposed ? a.output_padding[i] : 0;
    const int64_t out = a.transposed ? (in - 1) * a.stride[i] - 2 * a.padding[i] + kernel + extra
                                     : (in + 2 * a.padding[i] - kernel) / a.stride[i] + 1;
    if (out < 1 || (!a.transposed && in + 2 * a.padding[i] < kernel))
      return std::nullopt;
    call.dst_sizes.push_back(out);
    geometry.strides[i] = a.stride[i];
    geometry.dilation[i] = a.dilation[i] - 1;
    geometry.padding_begin[i] = a.padding[i];
    // What makes the sizes agree: oneDNN has no rounding down and no output padding.
    geometry.padding_end[i] =
        a.transposed ? a.padding[i] - extra : (out - 1) * a.stride[i] + kernel - in - a.padding[i];
  }
  const auto dtype = onednn::data_type(src.scalar_type());
  call.spec.src = onednn::Layout::strided(dtype, src.sizes(), forms::channels_last_strides(src.sizes()));
  call.spec.dst = onednn::Layout::strided(dtype, call.dst_sizes, forms::channels_last_strides(call.dst_sizes));
  call.weights = weights_layout(weights, a.transposed, a.groups);
  call.spec.weights = onednn::Layout::dense(dtype, call.weights.sizes_ref());
  call.dst_strides = result_strides(src, weights, call.dst_sizes);
  return call;
}

} // namespace ipex::ops
