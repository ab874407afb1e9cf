// Convolution in int8: quantised operands, and the primitive that stays open for what follows.
#include "ops/quantized_convolution.h"

#include "forms/packed_quantized.h"
#include "forms/quantized.h"
#include "ops/quantized_primitive.h"
#include "ops/quantized_result.h"

namespace ipex::ops {

at::Tensor quantized_convolution(
    const int8::Turn& turn,
    const ConvolutionCall& call,
    const at::Tensor& input,
    const at::Tensor& weight,
    const std::optional<at::Tensor>& bias) {
  if (call.spec.geometry.transposed || input.scalar_type() != at::kFloat)
    return {};
  const auto src = forms::read_quantized(input, turn.input(0), call.spec.src.strides_ref());
  onednn::Convolution spec = call.spec;
  spec.src.dtype = src.layout.dtype;
  spec.weights.dtype = dnnl::memory::data_type::s8;
  spec.bias = onednn::Bias::kFloat;
  spec.scales = onednn::Scales::kWeightsAndDst;
  spec.set_dst(turn.output().dtype);
  const auto kernel = onednn::find(spec);
  if (!kernel)
    return {};
  auto weights = forms::pack_quantized(weight, call.weights, call.groups > 1, turn.per_channel(), kernel->weights());
  if (!weights)
    return {};
  const int64_t channels = call.dst_sizes[1];
  int64_t products = 1;
  for (int dim = spec.weights.rank - spec.geometry.spatial - 1; dim < spec.weights.rank; ++dim)
    products *= spec.weights.sizes[dim];
  return quantized_result(
      std::make_shared<QuantizedPrimitive<onednn::Convolution>>(
          spec, QuantizedOperands{{src, {}}, std::move(*weights), bias_values(bias), channels, products}),
      src,
      {&input, &weight},
      call.dst_sizes,
      call.strides(call.dst_sizes),
      call.spec.dst.strides_ref());
}

} // namespace ipex::ops
