// Computes what a chain stands for: the intermediates that somebody still has, then the rest as one primitive.
#include "fusion/chain.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "core/profile.h"
#include "core/recorder.h"
#include "forms/buffer.h"
#include "forms/operand.h"
#include "forms/quantized.h"
#include "fusion/names.h"
#include "onednn/engine.h"

namespace ipex::fusion {

namespace {

// At least what two roundings to bfloat16, of the primitive and of the steps after it, add to a magnitude.
constexpr double kRounded = 1.01;

std::string label(const char* base, c10::ArrayRef<const PostOp*> steps) {
  const std::string all = names(steps);
  return c10::str(base, *base == '\0' || all.empty() ? "" : "+", all);
}

} // namespace

Counters& counters() {
  static Counters instance;
  return instance;
}

void Chain::close() {
  if (const auto storage = target())
    return forms::close(*storage);
  std::vector<std::weak_ptr<Chain>> children;
  {
    const std::lock_guard lock(mutex_);
    children = children_;
  }
  for (const auto& child : children)
    if (const auto chain = child.lock())
      chain->close();
}

forms::Operand Chain::values(Storage storage, const onednn::Layout& layout) const {
  at::Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(
      c10::Storage(std::move(storage)),
      c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
      c10::scalarTypeToTypeMeta(onednn::scalar_type(plain_.dtype)));
  // Sizes differ only if values lie in row-major order.
  const bool reshaped = plain_.sizes_ref() != layout.sizes_ref();
  const auto sizes = layout.sizes_ref();
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(
      sizes, reshaped ? c10::IntArrayRef(forms::row_major_strides(sizes)) : plain_.strides_ref());
  forms::Operand operand = forms::ordered(forms::read_held(tensor), layout.strides_ref());
  if (!operand.owner.defined())
    operand.owner = std::move(tensor);
  return operand;
}

void Chain::show(c10::ArrayRef<const Chain*> links, const forms::Operand* source, const onednn::Layout& layout) {
  std::vector<std::vector<Observation>> observers;
  for (const Chain* link : links)
    observers.push_back(link->take_observers());
  if (std::all_of(observers.begin(), observers.end(), [](const auto& list) { return list.empty(); }))
    return;
  try {
    const auto work = forms::make_buffer(layout.elements() * sizeof(float));
    auto* const values = static_cast<float*>(work->data.get());
    if (source != nullptr)
      to_float(*source, 0, values, layout.elements());
    else
      links.back()->base_->run(values, {});
    for (size_t i = links.size(); i-- > 0;) {
      const auto& steps = links[i]->steps_;
      for (size_t done = 0; done <= steps.size(); ++done) {
        for (Observation& observation : observers[i])
          if (observation.observer && observation.steps == done)
            std::exchange(observation.observer, nullptr)(values, layout);
        if (done < steps.size())
          apply({&steps[done]}, {values, layout, {}, {}}, values, layout);
      }
    }
  } catch (...) { // the values stay open: whoever computes them later shows them
    for (size_t i = 0; i < links.size(); ++i)
      links[i]->return_observers(observers[i]);
    throw;
  }
}

float Chain::compute(c10::StorageImpl& storage, const forms::Physical& physical, bool is_read) {
  std::vector<const PostOp*> steps;
  std::vector<const Chain*> links;
  const auto prepend = [&](const Chain& chain) {
    links.push_back(&chain);
    for (size_t i = chain.steps_.size(); i-- > 0;)
      steps.push_back(&chain.steps_[i]);
  };
  prepend(*this);
  Storage source;
  const Chain* chain = this;
  while (chain->parent_ && !(source = chain->parent_->available())) {
    chain = chain->parent_.get();
    prepend(*chain);
  }
  std::reverse(steps.begin(), steps.end());
  const profile::Range profiled([&] { return "open [" + label(source ? "" : base_->name(), steps) + "]"; });
  std::optional<recorder::Call> call;
  if (C10_UNLIKELY(recorder::active())) {
    const recorder::Call* closer = recorder::Call::current();
    const std::string reason = closer ? "closed by " + closer->row.op : "closed";
    call.emplace(label(source ? "" : base_->name(), steps), base_->arguments, recorder::Time::kApart);
    call->row.reason = reason;
  }
  void* const dst = const_cast<void*>(physical.data);
  const bool quantizes = forms::is_byte(physical.layout.dtype);
  const forms::Quantization as{physical.layout.dtype, physical.scale};
  onednn::Layout layout = physical.layout; // of the values that the steps take
  if (quantizes)
    layout.dtype = physical.plain.dtype;
  forms::Operand operand{dst, layout, {}, {}};
  Base::Done done{0, std::numeric_limits<double>::infinity()};
  bool is_rounded = false;
  if (source) {
    operand = chain->parent_->values(std::move(source), layout);
    if (layout.dtype == dnnl::memory::data_type::f32)
      show(links, &operand, layout);
  } else {
    if (quantizes)
      if (const auto found = base_->run_quantized(dst, as, steps)) {
        done = *found;
        is_rounded = true;
      }
    if (!is_rounded) {
      if (quantizes) {
        operand.buffer = forms::make_buffer(layout.elements() * sizeof(float));
        operand.data = operand.buffer->data.get();
      }
      done = base_->run(const_cast<void*>(operand.data), steps);
    }
    counters().fused.fetch_add(static_cast<int64_t>(done.steps), std::memory_order_relaxed);
    if (layout.dtype == dnnl::memory::data_type::f32)
      show(links, nullptr, layout);
  }
  if (C10_UNLIKELY(call))
    call->row.fused = label("", c10::ArrayRef<const PostOp*>(steps).slice(0, done.steps));
  counters().applied.fetch_add(static_cast<int64_t>(steps.size() - done.steps), std::memory_order_relaxed);
  const auto left = c10::ArrayRef<const PostOp*>(steps).slice(done.steps);
  if (!left.empty() || (quantizes && !is_rounded))
    apply(left, operand, dst, physical.layout, as.scale);
  for (const PostOp* step : left)
    done.bound = step->bound_after(done.bound);
  if (quantizes)
    done.bound = as.bound();
  if (physical.layout.dtype == dnnl::memory::data_type::bf16)
    done.bound *= kRounded;
  if (is_read) {
    const std::lock_guard lock(mutex_);
    kept_ = Storage::reclaim_copy(&storage);
  }
  computed_.store(true);
  return done.bound <= std::numeric_limits<float>::max() ? static_cast<float>(done.bound) : forms::Form::kUnknown;
}

} // namespace ipex::fusion
