// With dst = convolution(src, weights) + bias, and transposed convolution the same with data and diff_dst swapped:
// diff_src[n, i, p'] = sum over o, k of weights[o, i, k] * diff_dst[n, o, p] where p' = stride p + dilation k - padding,
// diff_weights[o, i, k] = sum over n, p of diff_dst[n, o, p] * src[n, i, p'], diff_bias[o] = sum of diff_dst[:, o].
//
//   schema    aten::convolution_backward(Tensor grad_output, Tensor input, Tensor weight, SymInt[]? bias_sizes, SymInt[]
//             stride, SymInt[] padding, SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups,
//             bool[3] output_mask) -> (Tensor, Tensor, Tensor)
//   src       [N, C, L], [N, C, H, W] or [N, C, D, H, W], any strides; f32, bf16
//   weights   [O, C/groups, ...] or, transposed, [C, O/groups, ...], same dtype
//   diff_dst  same dtype, any strides
//   results   diff_src lies in channels-last order; strides as stock PyTorch gives them; what `output_mask` leaves out is
//             undefined
//   else      CPU fallback: other dtypes, no elements, shapes or parameters that do not fit, gradients of strided 1x1 weights
//             with fewer than 16 channels
//   errors    RuntimeError when shapes or parameters do not fit
//   source    oneDNN developer guide, "Convolution" and "Deconvolution"
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>

#include <algorithm>

#include "aten/fallback.h"
#include "forms/operand.h"
#include "forms/packed.h"
#include "forms/reorder.h"
#include "forms/storage.h"
#include "ops/column_sum.h"
#include "ops/convolution_geometry.h"
#include "ops/kernels.h"
#include "ops/tiled_convolution.h"
#include "ops/tiled_product.h"

namespace ipex::ops {

namespace {

using Kernel = std::shared_ptr<const onednn::Primitive>;

Kernel find(onednn::Convolution spec, onednn::Convolution::Kind kind, bool has_bias) {
  spec.kind = kind;
  spec.bias = has_bias ? onednn::Bias::kOfWeights : onednn::Bias::kNone;
  return onednn::find(spec);
}

// oneDNN 3.2 makes wrong weight gradients of strided 1x1 convolutions with few input channels (jit:avx2).
bool weights_are_wrong(const onednn::Convolution& spec) {
  const int first = spec.weights.rank - spec.geometry.spatial;
  bool strided = false;
  for (int i = 0; i < spec.geometry.spatial; ++i) {
    if (spec.weights.sizes[first + i] != 1)
      return false;
    strided |= spec.geometry.strides[i] > 1;
  }
  constexpr int64_t kFew = 16;
  return strided && std::min(spec.weights.sizes[first - 1], spec.weights.sizes[first - 2]) < kFew;
}

// `kernel` null: by our own loops. Weights packed for this alone would only take memory: an optimiser is about to
// change them.
at::Tensor diff_src(
    const ConvolutionCall& call,
    const Kernel& kernel,
    const forms::Operand& diff_dst,
    const at::Tensor& src,
    const at::Tensor& weight,
    bool has_bias) {
  auto dst = forms::make_result(src.sizes(), call.strides(src.sizes()), call.spec.src.strides_ref(), src.options());
  if (!kernel) {
    const auto view = exchange_channels(call.weights);
    const auto weights = forms::pack(weight, view, panels(view), /*keep=*/false);
    tiled_diff_src(call, diff_dst.data, weights.data, dst.data);
    return dst.tensor;
  }
  const auto forward = find(call.spec, onednn::Convolution::kForward, has_bias);
  const bool keep = forward && forward->weights() == kernel->weights();
  const auto weights = forms::pack(weight, call.weights, kernel->weights(), keep);
  kernel->run({{DNNL_ARG_DIFF_DST, diff_dst.data}, {DNNL_ARG_WEIGHTS, weights.data}, {DNNL_ARG_DIFF_SRC, dst.data}});
  return dst.tensor;
}

// By our own loops; false when NaN in the weights' gradient may be missing in stock PyTorch's.
bool diff_weights_tiled(
    const ConvolutionCall& call,
    const forms::Operand& src,
    const forms::Operand& diff_dst,
    const at::Tensor& weights,
    const at::Tensor& bias) {
  const auto plain = convolution_weights(weights, false, 1);
  const auto made =
      onednn::Layout::strided(plain.dtype, plain.sizes_ref(), forms::channels_last_strides(plain.sizes_ref()));
  const bool direct = forms::same_order(plain.sizes_ref(), plain.strides_ref(), made.strides_ref());
  const at::Tensor elsewhere = direct ? at::Tensor() : at::empty({weights.numel()}, weights.options());
  void* to = write_bytes(direct ? weights : elsewhere);
  const bool exact = tiled_diff_weights(call, src.data, diff_dst.data, to);
  if (!direct)
    forms::reorder(made, to, plain, write_bytes(weights));
  if (bias.defined())
    column_sum(
        diff_dst.data,
        write_bytes(bias),
        diff_dst.layout.elements() / bias.numel(),
        bias.numel(),
        weights.scalar_type());
  return exact;
}

void diff_weights_onednn(
    const ConvolutionCall& call,
    const onednn::Primitive& kernel,
    const forms::Operand& src,
    const forms::Operand& diff_dst,
    const at::Tensor& weights,
    const at::Tensor& bias) {
  const auto desc = convolution_weights(weights, call.spec.geometry.transposed, call.groups).desc();
  const bool direct = desc == kernel.weights();
  const auto bytes = static_cast<int64_t>(kernel.weights().get_size());
  const at::Tensor packed = direct ? at::Tensor() : at::empty({bytes}, weights.options().dtype(at::kByte));
  void* to = write_bytes(direct ? weights : packed);
  kernel.run(
      {{DNNL_ARG_SRC, src.data},
       {DNNL_ARG_DIFF_DST, diff_dst.data},
       {DNNL_ARG_DIFF_WEIGHTS, to},
       {DNNL_ARG_DIFF_BIAS, bias.defined() ? write_bytes(bias) : nullptr}});
  if (!direct)
    forms::reorder(kernel.weights(), to, desc, write_bytes(weights));
}

// `kernel` null: by our own loops, and by oneDNN when these do not serve.
std::tuple<at::Tensor, at::Tensor> diff_weights(
    const ConvolutionCall& call,
    Kernel kernel,
    const forms::Operand& diff_dst,
    const at::Tensor& input,
    const at::Tensor& weight,
    bool has_bias) {
  const auto src = forms::read_as(input, call.spec.src.strides_ref());
  at::Tensor weights = at::empty_strided(weight.sizes(), call.diff_weights_strides(weight.sizes()), weight.options());
  at::Tensor bias = has_bias ? at::empty({call.dst_sizes[1]}, weight.options()) : at::Tensor();
  if (!kernel && !diff_weights_tiled(call, src, diff_dst, weights, bias))
    kernel = find(call.spec, onednn::Convolution::kBackwardWeights, has_bias);
  if (kernel)
    diff_weights_onednn(call, *kernel, src, diff_dst, weights, bias);
  return {weights, bias};
}

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor& grad_output,
    const at::Tensor& input,
    const at::Tensor& weight,
    at::OptionalIntArrayRef bias_sizes,
    c10::IntArrayRef stride,
    c10::IntArrayRef padding,
    c10::IntArrayRef dilation,
    bool transposed,
    c10::IntArrayRef output_padding,
    int64_t groups,
    std::array<bool, 3> output_mask) {
  const auto call = convolution_call(input, weight, {stride, padding, dilation, transposed, output_padding, groups});
  const bool fits = call && grad_output.sizes() == call->dst_sizes && forms::readable(grad_output) &&
      grad_output.scalar_type() == input.scalar_type();
  const bool wants_data = output_mask[0], wants_bias = output_mask[2], wants_weights = output_mask[1] || wants_bias;
  const bool tiled_data = fits && takes_tiled_diff_src(*call);
  const bool tiled_weights = fits && takes_tiled_diff_weights(*call);
  Kernel data, weights;
  if (fits && wants_data && !tiled_data)
    data = find(call->spec, onednn::Convolution::kBackwardData, false);
  if (fits && wants_weights && !tiled_weights && !(output_mask[1] && weights_are_wrong(call->spec)))
    weights = find(call->spec, onednn::Convolution::kBackwardWeights, wants_bias);
  if (!fits || (wants_data && !tiled_data && !data) || (wants_weights && !tiled_weights && !weights))
    return fallback<at::_ops::convolution_backward>(
        grad_output,
        input,
        weight,
        bias_sizes,
        stride,
        padding,
        dilation,
        transposed,
        output_padding,
        groups,
        output_mask);

  std::tuple<at::Tensor, at::Tensor, at::Tensor> results;
  if (!wants_data && !wants_weights)
    return results;
  const auto diff_dst = forms::read_as(grad_output, call->spec.dst.strides_ref());
  if (wants_data)
    std::get<0>(results) = diff_src(*call, data, diff_dst, input, weight, bias_sizes.has_value());
  if (wants_weights) {
    auto [made, bias] = diff_weights(*call, weights, diff_dst, input, weight, wants_bias);
    if (output_mask[1])
      std::get<1>(results) = made;
    std::get<2>(results) = bias;
  }
  return results;
}

} // namespace ipex::ops
