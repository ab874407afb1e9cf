// PostOp: one element-wise step after a primitive, as our own loops compute it and as oneDNN's primitives can.
#pragma once

#include <c10/util/FunctionRef.h>

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "fusion/magnitude.h"
#include "onednn/epilogue.h"
#include "onednn/primitive.h"
#include "vec/functions.h"

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
    kBinary, // call(value, other), add or mul; `other` lies as the values do, in their dtype or in int8
    kScaleShift, // per channel; values in channels-last order
  };

  const char* name; // "relu"
  Kind kind;
  vec::Pointwise call{};
  Held other{};
  std::shared_ptr<const ScaleShift> channels{};
  float scale = 1, shift = 0;

  // The function `call` of one value, as a post-op; nothing when oneDNN has none.
  static std::optional<PostOp> unary(const vec::Pointwise& call);

  // add(value, other) or mul(value, other); nothing for another `call`. `scalar` instead of `other`: one number.
  static std::optional<PostOp> binary(const vec::Pointwise& call, Held other);
  static std::optional<PostOp> binary(const vec::Pointwise& call, float scalar);

  static PostOp scale_shift(std::shared_ptr<const ScaleShift> channels);

  // Appends it to `epilogue` and the operands, in the order of their entries, to `arguments`. False when the primitive
  // would not compute the same as `apply` for values of magnitudes up to `bound`.
  bool append_to(onednn::Epilogue& epilogue, std::vector<onednn::Argument>& arguments, double bound) const;

  // Whether the other operand is int8. A primitive that computes in int8 can take it, in its own scale.
  bool is_quantized() const {
    return kind == Kind::kBinary && forms::is_byte(other.operand.layout.dtype);
  }
  bool is_product() const; // of two values, not their sum
  bool append_quantized_to(onednn::Epilogue& epilogue, std::vector<onednn::Argument>& arguments) const;

  // Whether this(c * value) = c * this(value) for c > 0.
  bool is_homogeneous() const;

  // Whether append_to asks for the bound.
  bool needs_bound() const {
    return kind == Kind::kUnary;
  }

  // A bound of the result for values of magnitudes up to `bound`; infinity when there is none.
  double bound_after(double bound) const;

  // dst = this of src, `count` adjacent values of which the first is number `offset` of all, where a row of channels
  // begins; src and dst may be the same.
  void run(const float* src, float* dst, int64_t offset, int64_t count) const;

 private:
  void run_with_narrow(const float* src, float* dst, int64_t offset, int64_t count) const;
};

// `count` values of `operand` (dense; f32, bf16, s8 or u8) from number `first` on, as float32.
void to_float(const forms::Operand& operand, int64_t first, float* dst, int64_t count);

// A copy of `operand` as float32.
forms::Operand as_float(const forms::Operand& operand);

// Calls `fill` with pieces of the rows of channels of dense values that lie as `layout` (f32, bf16, or s8 and u8 in `scale`)
// says, and runs `steps` on what it wrote, while that is in the cache. `fill` gets where to write the piece, in float32, the
// first row, the number of rows and their width.
using Fill = c10::function_ref<void(float*, int64_t, int64_t, int64_t)>;
void apply(c10::ArrayRef<const PostOp*> steps, void* dst, const onednn::Layout& layout, Fill fill, float scale = 1);

// dst = src followed by `steps`, in one pass. dst lies densely as `layout` says, and so does src, whose dtype may be another;
// they may be the same memory if it is not.
void apply(
    c10::ArrayRef<const PostOp*> steps,
    const forms::Operand& src,
    void* dst,
    const onednn::Layout& layout,
    float scale = 1);

} // namespace ipex::fusion
