// Runs a float32 primitive and its steps into work memory, and rounds from there.
#include "fusion/rounded.h"

#include "core/device.h"
#include "forms/narrow.h"
#include "fusion/open_primitive.h"

namespace ipex::fusion {

namespace {

using dnnl::memory;

forms::Result work_memory(int64_t count) {
  return forms::make_contiguous_result({count}, at::TensorOptions(kDevice).dtype(at::kFloat));
}

// The step with a float32 operand.
PostOp widened(const PostOp& step) {
  PostOp made = step;
  forms::Operand& operand = made.other.operand;
  if (step.kind != PostOp::Kind::kBinary || operand.layout.dtype != memory::data_type::bf16)
    return made;
  const auto wide = work_memory(operand.layout.elements());
  forms::to_wide(operand.data, static_cast<float*>(wide.data), operand.layout.elements());
  operand.layout.dtype = memory::data_type::f32;
  operand.data = wide.data;
  operand.owner = wide.tensor;
  return made;
}

class Rounded final : public Base {
 public:
  Rounded(std::shared_ptr<const Base> wide, const onednn::Layout& layout) : wide_(std::move(wide)), layout_(layout) {}

  const char* name() const override {
    return wide_->name();
  }

  bool may_repeat() const override {
    return wide_->may_repeat();
  }

  Done run(void* dst, c10::ArrayRef<const PostOp*> steps) const override {
    std::vector<PostOp> own;
    own.reserve(steps.size());
    std::vector<const PostOp*> all;
    for (const PostOp* step : steps)
      all.push_back(&own.emplace_back(widened(*step)));
    const auto values = work_memory(layout_.elements());
    Done done = wide_->run(values.data, all);
    const auto rest = c10::ArrayRef<const PostOp*>(all).slice(done.steps);
    if (!rest.empty())
      apply(rest, {values.data, layout_, {}, {}}, values.data, layout_);
    while (done.steps < all.size())
      done.bound = all[done.steps++]->bound_after(done.bound);
    forms::to_narrow(static_cast<const float*>(values.data), dst, layout_.elements());
    return done;
  }

 private:
  const std::shared_ptr<const Base> wide_;
  const onednn::Layout layout_; // of the float32 values
};

} // namespace

at::Tensor rounded(const at::Tensor& wide) {
  const auto found = primitive_of(wide);
  if (!found)
    return {};
  const auto base = std::make_shared<Rounded>(found->base, found->layout);
  return open_instead(wide, base, memory::data_type::bf16);
}

} // namespace ipex::fusion
