// PostOp: one element-wise step after a primitive, as our own loops compute it and as oneDNN's primitives can.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "fusion/magnitude.h"
#include "onednn/epilogue.h"
#include "onednn/primitive.h"
#include "ops/pointwise.h"

namespace ipex::fusion {

// value * scale[c] + shift[c]: batch normalisation with known statistics.
struct ScaleShift {
  std::vector<float> scale;
  std::vector<float> shift;
};

struct PostOp {
  enum class Kind {
    kUnary, // call(value)
    kScalar, // value * scale + shift
    kBinary, // call(value, other), add or mul; `other` lies as the values do
    kScaleShift, // per channel; values in channels-last order
  };

  const char* name; // "relu"
  Kind kind;
  ops::Pointwise call{};
  Held other{};
  std::shared_ptr<const ScaleShift> channels{};
  float scale = 1, shift = 0;

  // The function `call` of one value, as a post-op; nothing when oneDNN has none.
  static std::optional<PostOp> unary(const ops::Pointwise& call);

  // add(value, other) or mul(value, other); nothing for another `call`. `scalar` instead of `other`: one number.
  static std::optional<PostOp> binary(const ops::Pointwise& call, Held other);
  static std::optional<PostOp> binary(const ops::Pointwise& call, float scalar);

  static PostOp scale_shift(std::shared_ptr<const ScaleShift> channels);

  // Appends it to `epilogue` and the operands, in the order of their entries, to `arguments`. False when the primitive
  // would not compute the same as `apply` for values of magnitudes up to `bound`.
  bool append_to(onednn::Epilogue& epilogue, std::vector<onednn::Argument>& arguments, double bound) const;

  // A bound of the result for values of magnitudes up to `bound`; infinity when there is none.
  double bound_after(double bound) const;

  // dst = this of src, both laid out as `layout` says; they may be the same.
  void apply(const float* src, float* dst, const onednn::Layout& layout) const;
};

} // namespace ipex::fusion
