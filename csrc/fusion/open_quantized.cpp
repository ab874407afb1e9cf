// Values that are held in int8, as the base of an open primitive.
#include "forms/quantized.h"
#include "fusion/open_primitive.h"

namespace ipex::fusion {

namespace {

// Values in int8, to be read in one pass with what follows.
class OpenQuantized final : public Base {
 public:
  explicit OpenQuantized(Held src) : src_(std::move(src)) {}

  const char* name() const override {
    return "dequantize";
  }

  bool may_repeat() const override {
    return true;
  }

  Done run(void* dst, c10::ArrayRef<const PostOp*> steps) const override {
    onednn::Layout layout = src_.operand.layout;
    layout.dtype = dnnl::memory::data_type::f32;
    apply(steps, src_.operand, dst, layout);
    return {steps.size(), bound_after(steps)};
  }

  std::optional<Done> run_quantized(void* dst, const forms::Quantization& as, c10::ArrayRef<const PostOp*> steps)
      const override {
    onednn::Layout layout = src_.operand.layout;
    layout.dtype = as.dtype;
    apply(steps, src_.operand, dst, layout, as.scale);
    return Done{steps.size(), as.bound()};
  }

 private:
  double bound_after(c10::ArrayRef<const PostOp*> steps) const {
    double bound = src_.bound();
    for (const PostOp* step : steps)
      bound = step->bound_after(bound);
    return bound;
  }

  const Held src_;
};

} // namespace

at::Tensor open_quantized(const at::Tensor& tensor) {
  if (!may_open({&tensor}))
    return {};
  forms::Operand operand = forms::read_held(tensor);
  if (!forms::is_byte(operand.layout.dtype) || !operand.dense())
    return {};
  const auto held = hold(tensor, std::move(operand));
  const c10::DimVector order(held->operand.strides());
  return open(std::make_shared<OpenQuantized>(*held), *held, tensor.sizes(), tensor.strides(), order);
}

} // namespace ipex::fusion
