// Linear layer in int8: quantised operands, and the primitive that stays open for what follows.
#include "ops/quantized_linear.h"

#include "forms/packed_quantized.h"
#include "forms/quantized.h"
#include "onednn/inner_product.h"
#include "ops/byte_product.h"
#include "ops/quantized_primitive.h"
#include "ops/quantized_result.h"

namespace ipex::ops {

at::Tensor quantized_linear(
    const int8::Turn& turn,
    const at::Tensor& input,
    const at::Tensor& weight,
    const std::optional<at::Tensor>& bias) {
  if (input.scalar_type() != at::kFloat)
    return {};
  const int64_t in = weight.size(1), out = weight.size(0), rows = input.numel() / in;
  c10::DimVector sizes(input.sizes());
  sizes.back() = out;
  const auto strides = forms::row_major_strides(sizes);
  const auto seen = forms::plain_layout(weight);
  const auto src = forms::read_quantized(input, turn.input(0), forms::row_major_strides(input.sizes()));
  if (takes_byte_products(rows, in)) {
    auto weights = forms::pack_quantized(weight, seen, /*groups=*/false, turn.per_channel(), byte_panels(out, in));
    if (!weights)
      return {};
    return quantized_result(
        std::make_shared<ByteProduct>(
            rows, QuantizedOperands{{src, {}}, std::move(*weights), bias_values(bias), out, in}),
        src,
        {&input, &weight},
        sizes,
        strides,
        strides);
  }
  onednn::InnerProduct spec{
      .rows = rows,
      .in = in,
      .out = out,
      .dtype = dnnl::memory::data_type::s8,
      .bias = onednn::Bias::kFloat,
      .scales = onednn::Scales::kWeightsAndDst,
      .src = src.layout.dtype,
      .dst = turn.output().dtype};
  const auto kernel = onednn::find(spec);
  if (!kernel)
    return {};
  auto weights = forms::pack_quantized(weight, seen, /*groups=*/false, turn.per_channel(), kernel->weights());
  if (!weights)
    return {};
  return quantized_result(
      std::make_shared<QuantizedPrimitive<onednn::InnerProduct>>(
          spec, QuantizedOperands{{src, {}}, std::move(*weights), bias_values(bias), out, in}),
      src,
      {&input, &weight},
      sizes,
      strides,
      strides);
}

} // namespace ipex::ops
