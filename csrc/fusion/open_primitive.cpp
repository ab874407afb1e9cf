// Chains of a primitive and its post-ops: how they grow, and how they are computed.
//
// Locks: a chain is computed with the lock of its result's form held, and takes those of older results only.
#include "fusion/open_primitive.h"

#include <pthread.h>

#include <ATen/EmptyTensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <mutex>

#include "core/device.h"
#include "core/recorder.h"

namespace ipex::fusion {

namespace {

constexpr size_t kMostSteps = 8;
constexpr size_t kMostOpen = 4; // primitives per thread: a block with a shortcut has two

std::atomic<bool> is_enabled{true};
std::atomic<int64_t> opened{0}, extended{0}, fused{0}, applied{0};
// Results that may be open, so that operators need not look while there is none.
std::atomic<int64_t> living{0};

using StoragePtr = c10::intrusive_ptr<c10::StorageImpl>;

class Chain final : public forms::OpenValues {
 public:
  Chain(
      c10::weak_intrusive_ptr<c10::StorageImpl> target,
      std::shared_ptr<const Base> base,
      std::shared_ptr<Chain> parent,
      const onednn::Layout& plain)
      : OpenValues(std::move(target)),
        base_(std::move(base)),
        parent_(std::move(parent)),
        plain_(plain),
        length_(parent_ ? parent_->length_ : 0) {
    living.fetch_add(1, std::memory_order_relaxed);
  }
  ~Chain() override {
    living.fetch_sub(1, std::memory_order_relaxed);
  }

  float compute(c10::StorageImpl& storage, const forms::Physical& physical, bool is_read) override;

  void close() override {
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

  void add_child(const std::shared_ptr<Chain>& child) {
    const std::lock_guard lock(mutex_);
    std::erase_if(children_, [](const auto& other) { return other.expired(); });
    children_.push_back(child);
  }

  // With the lock of the result's form held, or before anybody else knows the chain, which (or whose parent) is not full.
  void append(PostOp step) {
    steps_.push_back(std::move(step));
    ++length_;
  }

  bool is_full() const {
    return length_ == kMostSteps;
  }

  const std::shared_ptr<const Base>& base() const {
    return base_;
  }

  const std::shared_ptr<Chain>& parent() const {
    return parent_;
  }

 private:
  // The storage of a result whose values exist or are to exist; null when they need not.
  StoragePtr available() const {
    if (base_->may_repeat() && !computed_.load())
      return {};
    if (auto storage = target())
      return storage;
    const std::lock_guard lock(mutex_);
    return kept_;
  }

  // Its values in the order of `layout`.
  forms::Operand values(StoragePtr storage, const onednn::Layout& layout) const {
    at::Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(
        c10::Storage(std::move(storage)),
        c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
        caffe2::TypeMeta::Make<float>());
    tensor.unsafeGetTensorImpl()->set_sizes_and_strides(plain_.sizes_ref(), plain_.strides_ref());
    forms::Operand operand = forms::read_as(tensor, layout.strides_ref());
    if (!operand.owner.defined())
      operand.owner = std::move(tensor);
    return operand;
  }

  const std::shared_ptr<const Base> base_;
  const std::shared_ptr<Chain> parent_; // whose result the first step takes; null: the base's
  const onednn::Layout plain_;
  std::vector<PostOp> steps_;
  size_t length_; // steps from the base on
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<Chain>> children_; // whose parent this is
  std::atomic<bool> computed_{false};
  StoragePtr kept_; // the result, once it is computed and while another chain is to be computed of it
};

std::string label(const char* base, c10::ArrayRef<const PostOp*> steps) {
  std::string text = base;
  for (const PostOp* step : steps)
    text.append(text.empty() ? "" : "+").append(step->name);
  return text;
}

float Chain::compute(c10::StorageImpl& storage, const forms::Physical& physical, bool is_read) {
  std::vector<const PostOp*> steps;
  const auto prepend = [&](const Chain& chain) {
    for (size_t i = chain.steps_.size(); i-- > 0;)
      steps.push_back(&chain.steps_[i]);
  };
  prepend(*this);
  StoragePtr source;
  const Chain* chain = this;
  while (chain->parent_ && !(source = chain->parent_->available())) {
    chain = chain->parent_.get();
    prepend(*chain);
  }
  std::reverse(steps.begin(), steps.end());
  std::optional<recorder::Call> call;
  if (C10_UNLIKELY(recorder::active())) {
    const recorder::Call* closer = recorder::Call::current();
    const std::string reason = closer ? "closed by " + closer->row.op : "closed";
    call.emplace(label(source ? "" : base_->name(), steps), base_->arguments, recorder::Time::kApart);
    call->row.reason = reason;
  }
  auto* const dst = const_cast<float*>(static_cast<const float*>(physical.data));
  const float* from = dst;
  forms::Operand operand;
  Base::Done done{0, std::numeric_limits<double>::infinity()};
  if (source) {
    operand = chain->parent_->values(std::move(source), physical.layout);
    from = static_cast<const float*>(operand.data);
  } else {
    done = base_->run(dst, steps);
    fused.fetch_add(static_cast<int64_t>(done.steps), std::memory_order_relaxed);
  }
  if (C10_UNLIKELY(call))
    call->row.fused = label("", c10::ArrayRef<const PostOp*>(steps).slice(0, done.steps));
  applied.fetch_add(static_cast<int64_t>(steps.size() - done.steps), std::memory_order_relaxed);
  const auto left = c10::ArrayRef<const PostOp*>(steps).slice(done.steps);
  if (!left.empty())
    apply(left, from, dst, physical.layout);
  for (const PostOp* step : left)
    done.bound = step->bound_after(done.bound);
  if (is_read) {
    const std::lock_guard lock(mutex_);
    kept_ = StoragePtr::reclaim_copy(&storage);
  }
  computed_.store(true);
  return done.bound <= std::numeric_limits<float>::max() ? static_cast<float>(done.bound) : forms::Form::kUnknown;
}

// Every open result of the process, for close_all(), and the last ones of this thread.
struct Registry {
  std::mutex mutex;
  std::vector<std::weak_ptr<Chain>> chains;

  void add(const std::shared_ptr<Chain>& chain) {
    const std::lock_guard lock(mutex);
    if (chains.size() >= most_) {
      std::erase_if(chains, [](const auto& other) { return other.expired(); });
      most_ = std::max<size_t>(64, 2 * chains.size());
    }
    chains.push_back(chain);
  }

 private:
  size_t most_ = 64;
};

// Lives as long as the process: results may be read while it ends.
Registry& registry() {
  static auto* instance = [] {
    static auto* made = new Registry();
    // Registered when the first result is open, after the allocator's handler, and so called before it. The child finds
    // computed values: the parent's threads, which it lacks, make them.
    pthread_atfork(
        [] {
          try {
            close_all();
          } catch (const std::exception& error) { // nobody could catch it here; whoever reads the values gets it again
            TORCH_WARN("before fork: ", error.what());
          }
          made->mutex.lock();
        },
        [] { made->mutex.unlock(); },
        [] { made->mutex.unlock(); });
    return made;
  }();
  return *instance;
}

struct Latest {
  std::array<std::weak_ptr<Chain>, kMostOpen> chains; // of each primitive, the last
  size_t next = 0;

  void add(const std::shared_ptr<Chain>& chain, const Chain* parent) {
    for (auto& other : chains) {
      if (parent != nullptr && !parent->base()->may_repeat() && other.lock().get() == parent) {
        other = chain;
        return;
      }
    }
    if (const auto oldest = chains[next].lock())
      oldest->close();
    chains[next] = chain;
    next = (next + 1) % kMostOpen;
  }
};

thread_local Latest latest;

void add_dependent(const Held& held, const std::shared_ptr<Chain>& chain) {
  if (!held.storage)
    return;
  forms::Form* form = forms::Form::of(*held.storage.unsafeGetStorageImpl());
  const forms::Form::Lock lock(*form);
  form->add_dependent(chain);
}

// Notes that an operator with the operand `other` has become a step of `chain`.
void joined(const std::shared_ptr<Chain>& chain, const Held& other) {
  add_dependent(other, chain);
  extended.fetch_add(1, std::memory_order_relaxed);
  recorder::note_path("open");
}

struct Made {
  at::Tensor tensor;
  std::shared_ptr<Chain> chain;
};

// A tensor whose values a new chain computes.
Made make(
    std::shared_ptr<const Base> base,
    std::shared_ptr<Chain> parent,
    std::optional<PostOp> step,
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    const onednn::Layout& layout) {
  static c10::Allocator* allocator = c10::GetAllocator(kDeviceType);
  const Chain* const before = parent.get();
  at::Tensor tensor = at::detail::empty_strided_generic(
      sizes, strides, allocator, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), at::kFloat);
  const auto plain = onednn::Layout::strided(layout.dtype, sizes, strides);
  const auto storage = tensor.storage().getWeakStorageImpl();
  auto chain = std::make_shared<Chain>(storage, std::move(base), std::move(parent), plain);
  if (step)
    chain->append(std::move(*step));
  if (before != nullptr)
    chain->parent()->add_child(chain);
  forms::Form::install_open(*tensor.storage().unsafeGetStorageImpl(), plain, layout, chain);
  registry().add(chain);
  latest.add(chain, before);
  return {std::move(tensor), std::move(chain)};
}

// Whether `tensor` shows the whole storage as it was made.
bool covers(const at::Tensor& tensor, const onednn::Layout& plain) {
  return tensor.storage_offset() == 0 && tensor.scalar_type() == at::kFloat && tensor.sizes() == plain.sizes_ref() &&
      tensor.strides() == plain.strides_ref() && !tensor.is_conj() && !tensor.is_neg();
}

forms::Form* form_of(const at::Tensor& tensor) {
  if (!any_open() || !tensor.has_storage() || tensor.device().type() != kDeviceType)
    return nullptr;
  return forms::Form::of(*tensor.storage().unsafeGetStorageImpl());
}

// The chain of an open tensor that can grow; null otherwise. Called with the lock held.
std::shared_ptr<Chain> growing(const at::Tensor& tensor, const forms::Form& form) {
  if (!form.open || !covers(tensor, form.physical->plain) || form.has_dependents())
    return nullptr;
  auto chain = std::static_pointer_cast<Chain>(form.open);
  return chain->is_full() ? nullptr : chain;
}

} // namespace

Base::Base() {
  if (C10_UNLIKELY(recorder::active())) {
    if (const recorder::Call* call = recorder::Call::current()) {
      arguments = call->row.arguments;
      recorder::note_path("open");
    }
  }
}

bool enabled() {
  return is_enabled.load(std::memory_order_relaxed);
}

void set_enabled(bool enabled) {
  is_enabled.store(enabled, std::memory_order_relaxed);
  if (!enabled)
    close_all();
}

bool any_open() {
  return living.load(std::memory_order_relaxed) != 0;
}

bool may_open(std::initializer_list<const at::Tensor*> tensors) {
  if (!enabled())
    return false;
  return !at::GradMode::is_enabled() || std::none_of(tensors.begin(), tensors.end(), [](const at::Tensor* tensor) {
    return tensor->defined() && tensor->requires_grad();
  });
}

std::optional<Held> hold(const at::Tensor& tensor, forms::Operand operand, bool may_copy) {
  constexpr int64_t kMostCopied = 64 << 10; // bytes; copying them costs less than not fusing
  if (operand.owner.defined())
    return Held{std::move(operand), {}};
  const c10::Storage& storage = tensor.storage();
  const forms::Block* block = forms::block_of(storage.data_ptr());
  forms::Form* form = block ? block->form.load(std::memory_order_acquire) : nullptr;
  if (form != nullptr && block->aliases.load(std::memory_order_acquire) <= 0) {
    const forms::Form::Lock lock(*form);
    if (!form->exposed)
      return Held{std::move(operand), storage};
  }
  if (!may_copy || operand.layout.elements() * static_cast<int64_t>(sizeof(float)) > kMostCopied)
    return std::nullopt;
  const c10::DimVector strides(operand.strides());
  return Held{forms::copy(operand, strides), {}};
}

at::Tensor open(
    std::shared_ptr<const Base> base,
    c10::ArrayRef<Held> reads,
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    c10::IntArrayRef physical) {
  const auto layout = onednn::Layout::strided(dnnl::memory::data_type::f32, sizes, physical);
  auto made = make(std::move(base), nullptr, std::nullopt, sizes, strides, layout);
  for (const Held& held : reads)
    add_dependent(held, made.chain);
  opened.fetch_add(1, std::memory_order_relaxed);
  return std::move(made.tensor);
}

std::optional<onednn::Layout> open_layout(const at::Tensor& tensor) {
  forms::Form* form = form_of(tensor);
  if (form == nullptr)
    return std::nullopt;
  const forms::Form::Lock lock(*form);
  if (!growing(tensor, *form))
    return std::nullopt;
  return form->physical->layout;
}

at::Tensor extend(const at::Tensor& self, PostOp step, c10::IntArrayRef strides) {
  forms::Form* form = form_of(self);
  if (form == nullptr)
    return {};
  std::shared_ptr<Chain> chain;
  onednn::Layout layout;
  {
    const forms::Form::Lock lock(*form);
    chain = growing(self, *form);
    if (!chain)
      return {};
    layout = form->physical->layout;
  }
  const Held other = step.other;
  auto made = make(chain->base(), chain, std::move(step), self.sizes(), strides, layout);
  {
    const forms::Form::Lock lock(*form);
    form->add_dependent(made.chain);
  }
  joined(made.chain, other);
  return std::move(made.tensor);
}

bool extend_in_place(const at::Tensor& self, PostOp step) {
  forms::Form* form = form_of(self);
  if (form == nullptr)
    return false;
  const Held other = step.other;
  std::shared_ptr<Chain> chain;
  {
    const forms::Form::Lock lock(*form);
    chain = growing(self, *form);
    if (!chain)
      return false;
    chain->append(std::move(step));
  }
  joined(chain, other);
  return true;
}

void close_all() {
  std::vector<std::weak_ptr<Chain>> chains;
  {
    const std::lock_guard lock(registry().mutex);
    chains = registry().chains;
  }
  for (const auto& chain : chains)
    if (const auto values = chain.lock())
      values->close();
}

Statistics statistics() {
  return {opened.load(), extended.load(), fused.load(), applied.load()};
}

} // namespace ipex::fusion
