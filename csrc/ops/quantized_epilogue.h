// What follows a sum of products of int8 values: one factor per output channel, a bias, steps in float32.
#pragma once

#include <vector>

#include "forms/packed.h"
#include "fusion/open_primitive.h"
#include "onednn/epilogue.h"
#include "onednn/primitive.h"

namespace ipex::ops {

// What a primitive in int8 is made of.
struct QuantizedOperands {
  fusion::Held src;
  forms::PackedWeights weights; // forms::pack_quantized
  std::vector<float> bias; // per output channel; empty: none
  int64_t channels; // of the output
  int64_t products; // of one sum
};

// What sums are multiplied by, per output channel, and what is added then. Steps that are linear per channel change it.
struct ChannelFactors {
  explicit ChannelFactors(const QuantizedOperands& operands);

  // False when the step is none of these.
  bool take(const fusion::PostOp& step);

  std::vector<float> factors;
  std::vector<float> bias; // empty: none
};

// Factors, bias and epilogue of a primitive for some first steps.
class QuantizedEpilogue {
 public:
  QuantizedEpilogue(const QuantizedOperands& operands, c10::ArrayRef<const fusion::PostOp*> steps);

  size_t steps = 0; // that are part of it
  ChannelFactors channels;
  onednn::Epilogue epilogue;
  std::vector<onednn::Argument> arguments; // of the epilogue
  double scale = 1; // values are larger by it, at the end
  double bound = 0; // of the magnitudes, without it

  // Brings the values back to their own scale. False when there is no room for that.
  bool unscale();

 private:
  bool take(const fusion::PostOp& step);
  bool rescale(double wanted);
  bool is_linear() const; // whether factors and bias can still change
};

} // namespace ipex::ops
