// A convolution or inner product in int8, with everything that follows it, as one primitive.
//
// A sum of products of int8 values is exact. It becomes float32 by one factor per output channel, 1 / (scale of src * scale
// of weights), the bias is added, and steps follow in float32; values are rounded at the end, if at all. Batch
// normalisation, where it comes first, is part of factors and bias. An int8 operand of a step is taken as it is: the values
// are brought to its scale before, and back at the end.
#pragma once

#include <memory>
#include <vector>

#include "onednn/primitive_cache.h"
#include "ops/quantized_epilogue.h"

namespace ipex::ops {

// `Spec` has the members epilogue and scales, and set_dst(type of dst).
template <class Spec>
class QuantizedPrimitive final : public fusion::Base {
 public:
  // `spec`: for which the weights were packed.
  QuantizedPrimitive(const Spec& spec, QuantizedOperands operands) : spec_(spec), operands_(std::move(operands)) {}

  const char* name() const override {
    return Spec::kName;
  }

  Done run(void* dst, c10::ArrayRef<const fusion::PostOp*> steps) const override {
    for (size_t most = steps.size();; --most) {
      QuantizedEpilogue epilogue(operands_, steps.slice(0, most));
      if (epilogue.steps == most && epilogue.unscale() && execute(epilogue, dst, dnnl::memory::data_type::f32, 1))
        return {most, epilogue.bound};
      TORCH_INTERNAL_ASSERT(most > 0);
    }
  }

  std::optional<Done> run_quantized(
      void* dst,
      const forms::Quantization& as,
      c10::ArrayRef<const fusion::PostOp*> steps) const override {
    QuantizedEpilogue epilogue(operands_, steps);
    if (epilogue.steps != steps.size())
      return std::nullopt;
    const auto step = static_cast<float>(epilogue.scale / as.scale);
    if (!execute(epilogue, dst, as.dtype, step))
      return std::nullopt;
    return Done{steps.size(), as.bound()};
  }

 private:
  // False, with nothing written, when oneDNN has no kernel for these weights. `step`: the difference between adjacent values
  // of an int8 dst.
  bool execute(const QuantizedEpilogue& epilogue, void* dst, dnnl::memory::data_type dtype, float step) const {
    Spec spec = spec_;
    spec.set_dst(dtype);
    const bool is_float = dtype == dnnl::memory::data_type::f32;
    spec.scales = is_float ? onednn::Scales::kWeights : onednn::Scales::kWeightsAndDst;
    spec.epilogue = epilogue.epilogue;
    const bool has_bias = !epilogue.channels.bias.empty();
    spec.bias = has_bias ? onednn::Bias::kFloat : onednn::Bias::kNone;
    const auto kernel = onednn::find(spec);
    if (!kernel || kernel->weights() != kernel_->weights())
      return false;
    std::vector<onednn::Argument> arguments{
        {DNNL_ARG_SRC, operands_.src.operand.data},
        {DNNL_ARG_WEIGHTS, operands_.weights.data},
        {DNNL_ARG_BIAS, has_bias ? epilogue.channels.bias.data() : nullptr},
        {DNNL_ARG_DST, dst},
        {DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS,
         epilogue.channels.factors.data(),
         static_cast<int64_t>(epilogue.channels.factors.size())},
        {DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST, is_float ? nullptr : &step}};
    arguments.insert(arguments.end(), epilogue.arguments.begin(), epilogue.arguments.end());
    kernel->run(arguments);
    return true;
  }

  const Spec spec_;
  const QuantizedOperands operands_;
  const std::shared_ptr<const onednn::Primitive> kernel_ = onednn::find(spec_);
};

} // namespace ipex::ops
