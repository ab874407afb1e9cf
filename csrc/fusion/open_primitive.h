// Open primitives: epilogues that grow while an eager program runs.
//
// A kernel that can take post-ops checks its call, fixes the metadata of its result and leaves the result open. The next
// operator, if it can be a post-op, extends the primitive into its own result, and the intermediate is never written.
// Anything else closes it (forms/open_values.h): a read of the values, a write to what they are computed of,
// synchronize(), the fifth open primitive of a thread.
//
//   y = conv(x)   open: convolution
//   z = bn(y)     open: y then batch_norm
//   del y
//   z.relu_()     open: y then batch_norm, relu
//   z.sum()       closes z: y is gone, so one primitive computes all three. Were y alive it would be computed first, and
//                 z from it: no primitive runs twice.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/visibility.h"
#include "fusion/post_op.h"

namespace ipex::fusion {

// A primitive with its operands, ready to run.
class Base {
 public:
  Base();
  virtual ~Base() = default;
  Base(const Base&) = delete;
  Base& operator=(const Base&) = delete;

  virtual const char* name() const = 0; // "convolution"

  // Whether running it again costs less than writing and reading its result: then a result with a following step stays
  // open even while somebody has it. (Programs name intermediates that they never read again.)
  virtual bool may_repeat() const {
    return false;
  }

  struct Done {
    size_t steps; // post-ops that are computed
    double bound; // of the magnitudes; infinity when unknown
  };
  // Writes dst = the primitive followed by some first post-ops of `steps`. Throws E301.
  virtual Done run(void* dst, c10::ArrayRef<const PostOp*> steps) const = 0;

  // The same followed by all of `steps`, written as int8. Nothing, with nothing written, when it does not do that: then run()
  // is called, and its values are rounded.
  virtual std::optional<Done> run_quantized(
      void* dst,
      const forms::Quantization& as,
      c10::ArrayRef<const PostOp*> steps) const;

  std::string arguments; // for explain(), while it records
};

// Whether results may be left open; per process, on at first.
IPEX_API bool enabled();
IPEX_API void set_enabled(bool enabled);

// Whether anything may be open; cheap.
bool any_open();

// Whether a primitive over these tensors, the first of which is its source, may be left open: of float32 or bfloat16, and
// not while gradients are recorded.
bool may_open(std::initializer_list<const at::Tensor*> tensors);

// While it lives, nobody writes what operators of this thread read, so that open primitives can keep foreign memory too. They
// are closed before it ends.
class Undisturbed {
 public:
  Undisturbed();
  ~Undisturbed();
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;

 private:
  const bool before_;
};

// `operand` as forms::read gave it for `tensor`, if it can be kept until later; perhaps a copy if it `may_copy` few values.
std::optional<Held> hold(const at::Tensor& tensor, forms::Operand operand, bool may_copy = true);

// A new tensor that shows `strides` and lies as `physical` says, with the values that `base` computes of `reads`. It has
// the dtype of the first of these.
at::Tensor open(
    std::shared_ptr<const Base> base,
    c10::ArrayRef<Held> reads,
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    c10::IntArrayRef physical);

// The primitive of an open tensor that no step has joined, and how the values will lie.
struct OpenPrimitive {
  std::shared_ptr<const Base> base;
  onednn::Layout layout;
};
std::optional<OpenPrimitive> primitive_of(const at::Tensor& tensor);

// A new open tensor of `dtype` with the values that `base` computes, that looks and lies as `tensor`, which is dropped
// unread. What `base` reads must stay as it is.
at::Tensor open_instead(const at::Tensor& tensor, std::shared_ptr<const Base> base, dnnl::memory::data_type dtype);

// How the values of an open tensor lie; nothing when `tensor` is not open, or a part of what is, or a view of it in
// another order.
std::optional<onednn::Layout> open_layout(const at::Tensor& tensor);

// A new open tensor with `strides`: `self`, which is open, followed by `step`. Undefined when that cannot be; then `self`
// is to be read.
at::Tensor extend(const at::Tensor& self, PostOp step, c10::IntArrayRef strides);

// The same in place.
bool extend_in_place(const at::Tensor& self, PostOp step);

// A new open tensor with the values of `tensor`, which it holds in int8, for steps to join. Undefined when that cannot be.
at::Tensor open_quantized(const at::Tensor& tensor);

// Looks at the values of an open tensor, as they are now, when they are computed: at those of a primitive alone, if more
// steps join it. Called at most once, perhaps never, with the lock of a form held. `values` lie densely as `layout` says.
using Observer = std::function<void(const float* values, const onednn::Layout& layout)>;

// False when the tensor is not open: then its values can be read.
bool observe(const at::Tensor& tensor, Observer observer);

// Computes everything that is open in the process.
IPEX_API void close_all();

struct Statistics {
  int64_t opened = 0; // primitives
  int64_t extended = 0; // post-ops
  int64_t fused = 0; // post-ops that became part of a primitive's execution
  int64_t applied = 0; // post-ops that ran as loops of their own
};
IPEX_API Statistics statistics();

} // namespace ipex::fusion
