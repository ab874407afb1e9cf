// Makes factors, bias and post-ops of the steps after a sum of products.
#include "ops/quantized_epilogue.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ipex::ops {

using fusion::PostOp;

namespace {

double largest(const std::vector<float>& values) {
  double found = 0;
  for (const float value : values) {
    if (!std::isfinite(value))
      return std::numeric_limits<double>::infinity();
    found = std::max(found, static_cast<double>(std::abs(value)));
  }
  return found;
}

} // namespace

ChannelFactors::ChannelFactors(const QuantizedOperands& operands) : factors(operands.channels), bias(operands.bias) {
  const auto& scales = operands.weights.buffer->scales;
  for (size_t c = 0; c < factors.size(); ++c)
    factors[c] =
        static_cast<float>(1 / (static_cast<double>(operands.src.operand.scale) * scales[scales.size() == 1 ? 0 : c]));
}

bool ChannelFactors::take(const PostOp& step) {
  const bool per_channel = step.kind == PostOp::Kind::kScaleShift;
  if (!per_channel && step.kind != PostOp::Kind::kScalar)
    return false;
  bias.resize(factors.size());
  for (size_t c = 0; c < factors.size(); ++c) {
    const float gain = per_channel ? step.channels->scale[c] : step.scale;
    const double shift = per_channel ? step.channels->shift[c] : step.shift;
    factors[c] *= gain;
    bias[c] = static_cast<float>(static_cast<double>(bias[c]) * gain + shift);
  }
  return true;
}

QuantizedEpilogue::QuantizedEpilogue(const QuantizedOperands& operands, c10::ArrayRef<const PostOp*> all)
    : channels(operands) {
  constexpr double kLargestWeight = 127;
  const double sum =
      operands.src.bound() * operands.src.operand.scale * kLargestWeight * static_cast<double>(operands.products);
  for (; steps < all.size(); ++steps) {
    if (is_linear()) // what the magnitudes are as long as factors and bias are all
      bound = sum * largest(channels.factors) + largest(channels.bias);
    const double before = bound;
    if (!take(*all[steps]))
      break;
    bound = all[steps]->bound_after(before);
  }
  if (is_linear())
    bound = (sum * largest(channels.factors) + largest(channels.bias)) / scale;
}

bool QuantizedEpilogue::is_linear() const {
  return epilogue.count == 0;
}

// Multiplies the values so that they are larger by `wanted`.
bool QuantizedEpilogue::rescale(double wanted) {
  const double factor = wanted / scale;
  if (factor == 1)
    return true;
  if (is_linear()) {
    for (float& value : channels.factors)
      value = static_cast<float>(value * factor);
    for (float& value : channels.bias)
      value = static_cast<float>(value * factor);
  } else if (!epilogue.append(dnnl::algorithm::eltwise_linear, static_cast<float>(factor), 0.f)) {
    return false;
  }
  scale = wanted;
  return true;
}

bool QuantizedEpilogue::unscale() {
  return rescale(1);
}

bool QuantizedEpilogue::take(const PostOp& step) {
  if (is_linear() && channels.take(step))
    return true;
  const QuantizedEpilogue before = *this;
  bool taken = false;
  if (step.is_quantized() && step.is_product()) {
    taken = step.append_quantized_to(epilogue, arguments);
    scale *= step.other.operand.scale;
  } else if (step.is_quantized()) {
    taken = rescale(step.other.operand.scale) && step.append_quantized_to(epilogue, arguments);
  } else if (step.is_homogeneous()) {
    taken = step.append_to(epilogue, arguments, bound);
  } else {
    taken = rescale(1) && step.append_to(epilogue, arguments, bound);
  }
  if (!taken)
    *this = before;
  return taken;
}

} // namespace ipex::ops
