// Translates PyTorch's convolution arguments into oneDNN's.
#include "ops/convolution_geometry.h"

#include <ATen/Parallel.h>
#include <ATen/native/ConvUtils.h>

#include <algorithm>

#include "forms/operand.h"
#include "onednn/engine.h"

namespace ipex::ops {

namespace {

bool all(c10::IntArrayRef values, int64_t at_least) {
  return std::all_of(values.begin(), values.end(), [&](int64_t value) { return value >= at_least; });
}

bool any_above_one(c10::IntArrayRef values) {
  return std::any_of(values.begin(), values.end(), [](int64_t value) { return value > 1; });
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

// Whether stock PyTorch runs the call by oneDNN. Its other kernels give some results other strides.
bool stock_takes_onednn(const at::Tensor& src, const at::Tensor& weights, const ConvolutionArguments& a) {
  if (a.transposed)
    for (size_t i = 0; i < a.stride.size(); ++i)
      if (a.output_padding[i] >= a.stride[i])
        return false;
  if (src.scalar_type() != at::kFloat)
    return true;
  const bool pointwise = weights.size(-1) == 1 && weights.size(-2) == 1;
  if (pointwise && !any_above_one(a.stride) && !any_above_one(a.dilation) && src.size(0) < 16 &&
      at::get_num_threads() == 1)
    return false;
  return a.groups > 1 || (weights.size(-1) > 3 && weights.size(-2) > 3) || src.size(0) > 1 ||
      c10::multiply_integers(src.sizes().slice(0, std::min<int64_t>(src.dim(), 4))) > 20480;
}

} // namespace

onednn::Layout convolution_weights(const at::Tensor& weights, bool transposed, int64_t groups) {
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

c10::DimVector ConvolutionCall::diff_weights_strides(c10::IntArrayRef sizes) const {
  const bool pointwise = sizes.size() == 4 && sizes[2] == 1 && sizes[3] == 1;
  return pointwise && !onednn_in_stock ? forms::row_major_strides(sizes) : strides(sizes);
}

c10::DimVector ConvolutionCall::strides(c10::IntArrayRef sizes) const {
  return channels_last ? forms::channels_last_strides(sizes) : forms::row_major_strides(sizes);
}

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
    // oneDNN rounds down as PyTorch does. Its 1x1 kernels take an end padding below the begin for granted to be 0, so
    // it is only used where the sizes would not agree otherwise.
    geometry.padding_end[i] = a.transposed && extra >= a.stride[i] ? a.padding[i] - extra : a.padding[i];
  }
  const auto dtype = onednn::data_type(src.scalar_type());
  call.spec.src = onednn::Layout::strided(dtype, src.sizes(), forms::channels_last_strides(src.sizes()));
  call.spec.dst = onednn::Layout::strided(dtype, call.dst_sizes, forms::channels_last_strides(call.dst_sizes));
  call.weights = convolution_weights(weights, a.transposed, a.groups);
  call.spec.weights = onednn::Layout::dense(dtype, call.weights.sizes_ref());
  call.groups = a.groups;
  call.onednn_in_stock = stock_takes_onednn(src, weights, a);
  call.channels_last = (src.dim() == 4 || (src.dim() == 5 && call.onednn_in_stock)) &&
      at::native::mkldnn_conv_use_channels_last(src, weights);
  return call;
}

} // namespace ipex::ops
