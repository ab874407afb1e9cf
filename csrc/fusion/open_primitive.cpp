// How chains begin and grow, and who knows them all.
#include "fusion/open_primitive.h"

#include <pthread.h>

#include <ATen/EmptyTensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>

#include "core/device.h"
#include "core/memory_pool.h"
#include "core/recorder.h"
#include "forms/order.h"
#include "fusion/chain.h"
#include "onednn/engine.h"

namespace ipex::fusion {

namespace {

constexpr size_t kMostOpen = 4; // primitives per thread: a block with a shortcut has two

std::atomic<bool> is_enabled{true};
thread_local bool is_undisturbed = false;

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
    // Handlers run in the reverse order of their registration: the memory pool's, which takes the pool's lock, has to run
    // after this one, which frees memory. The child finds computed values: the parent's threads, which it lacks, make them.
    pool_statistics(); // makes the pool
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
  if (form == nullptr) // foreign memory, undisturbed
    return;
  const forms::Form::Lock lock(*form);
  form->add_dependent(chain);
}

// Notes that an operator with the operand `other` has become a step of `chain`.
void joined(const std::shared_ptr<Chain>& chain, const Held& other) {
  add_dependent(other, chain);
  counters().extended.fetch_add(1, std::memory_order_relaxed);
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
      sizes, strides, allocator, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), onednn::scalar_type(layout.dtype));
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

// Whether the values of `tensor` are those of the storage, from its begin on.
bool begins(const at::Tensor& tensor, const onednn::Layout& plain) {
  return tensor.storage_offset() == 0 && tensor.scalar_type() == onednn::scalar_type(plain.dtype) &&
      !tensor.is_conj() && !tensor.is_neg();
}

// Whether `tensor` shows the whole storage as it was made.
bool covers(const at::Tensor& tensor, const onednn::Layout& plain) {
  return begins(tensor, plain) && tensor.sizes() == plain.sizes_ref() && tensor.strides() == plain.strides_ref();
}

forms::Form* form_of(const at::Tensor& tensor) {
  if (!any_open() || !tensor.has_storage() || tensor.device().type() != kDeviceType)
    return nullptr;
  return forms::Form::of(*tensor.storage().unsafeGetStorageImpl());
}

// Whether `tensor` shows the whole storage in row-major order, in which the values lie, with other sizes.
bool reshapes(const at::Tensor& tensor, const forms::Physical& physical) {
  const auto in_order = [](const onednn::Layout& layout) {
    return forms::same_order(layout.sizes_ref(), layout.strides_ref(), forms::row_major_strides(layout.sizes_ref()));
  };
  return begins(tensor, physical.plain) && tensor.is_contiguous() && tensor.numel() == physical.plain.elements() &&
      tensor.dim() <= onednn::Layout::kMaxRank && in_order(physical.plain) && in_order(physical.layout);
}

// An open tensor that can grow.
struct Growing {
  std::shared_ptr<Chain> chain;
  onednn::Layout layout; // how its values lie, in the tensor's sizes
};

// Called with the lock held. `step`: that is to join, if known.
std::optional<Growing> growing(const at::Tensor& tensor, const forms::Form& form, const PostOp* step = nullptr) {
  if (!form.open || form.has_dependents())
    return std::nullopt;
  auto chain = std::static_pointer_cast<Chain>(form.open);
  if (chain->is_full())
    return std::nullopt;
  const bool per_channel = step != nullptr && step->kind == PostOp::Kind::kScaleShift;
  if (per_channel && chain->is_reshaped())
    return std::nullopt; // the base's channels are others
  if (covers(tensor, form.physical->plain))
    return Growing{std::move(chain), form.physical->layout};
  if (per_channel || !reshapes(tensor, *form.physical))
    return std::nullopt;
  return Growing{std::move(chain), onednn::Layout::dense(form.physical->layout.dtype, tensor.sizes())};
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

std::optional<Base::Done> Base::run_quantized(void*, const forms::Quantization&, c10::ArrayRef<const PostOp*>) const {
  return std::nullopt;
}

bool enabled() {
  return is_enabled.load(std::memory_order_relaxed);
}

void set_enabled(bool enabled) {
  const bool before = is_enabled.exchange(enabled, std::memory_order_relaxed);
  if (enabled)
    return;
  try {
    close_all();
  } catch (...) {
    is_enabled.store(before, std::memory_order_relaxed);
    throw;
  }
}

bool any_open() {
  return counters().living.load(std::memory_order_relaxed) != 0;
}

bool may_open(std::initializer_list<const at::Tensor*> tensors) {
  if (!enabled())
    return false;
  const auto dtype = (*tensors.begin())->scalar_type();
  if (dtype != at::kFloat && dtype != at::kBFloat16)
    return false;
  return !at::GradMode::is_enabled() || std::none_of(tensors.begin(), tensors.end(), [](const at::Tensor* tensor) {
    return tensor->defined() && tensor->requires_grad();
  });
}

Undisturbed::Undisturbed() : before_(std::exchange(is_undisturbed, true)) {}

Undisturbed::~Undisturbed() {
  is_undisturbed = before_;
}

std::optional<Held> hold(const at::Tensor& tensor, forms::Operand operand, bool may_copy) {
  constexpr size_t kMostCopied = 64 << 10; // bytes; copying them costs less than not fusing
  if (operand.owner.defined() || operand.buffer)
    return Held{std::move(operand), {}};
  const c10::Storage& storage = tensor.storage();
  const forms::Block* block = forms::block_of(storage.data_ptr());
  forms::Form* form = block ? block->form.load(std::memory_order_acquire) : nullptr;
  if (block == nullptr && is_undisturbed)
    return Held{std::move(operand), storage};
  if (form != nullptr && block->aliases.load(std::memory_order_acquire) <= 0) {
    const forms::Form::Lock lock(*form);
    if (!form->exposed)
      return Held{std::move(operand), storage};
  }
  const auto nbytes = operand.layout.elements() * dnnl::memory::data_type_size(operand.layout.dtype);
  if (!may_copy || nbytes > kMostCopied)
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
  auto layout = onednn::Layout::strided(reads.front().operand.layout.dtype, sizes, physical);
  if (forms::is_byte(layout.dtype))
    layout.dtype = dnnl::memory::data_type::f32;
  auto made = make(std::move(base), nullptr, std::nullopt, sizes, strides, layout);
  for (const Held& held : reads)
    add_dependent(held, made.chain);
  counters().opened.fetch_add(1, std::memory_order_relaxed);
  return std::move(made.tensor);
}

std::optional<OpenPrimitive> primitive_of(const at::Tensor& tensor) {
  forms::Form* form = form_of(tensor);
  if (form == nullptr)
    return std::nullopt;
  const forms::Form::Lock lock(*form);
  const auto found = growing(tensor, *form);
  if (!found || !found->chain->is_bare() || !covers(tensor, form->physical->plain))
    return std::nullopt;
  return OpenPrimitive{found->chain->base(), found->layout};
}

at::Tensor open_instead(const at::Tensor& tensor, std::shared_ptr<const Base> base, dnnl::memory::data_type dtype) {
  auto layout = primitive_of(tensor)->layout;
  layout.dtype = dtype;
  return make(std::move(base), nullptr, std::nullopt, tensor.sizes(), tensor.strides(), layout).tensor;
}

std::optional<onednn::Layout> open_layout(const at::Tensor& tensor) {
  forms::Form* form = form_of(tensor);
  if (form == nullptr)
    return std::nullopt;
  const forms::Form::Lock lock(*form);
  const auto found = growing(tensor, *form);
  return found ? std::optional(found->layout) : std::nullopt;
}

at::Tensor extend(const at::Tensor& self, PostOp step, c10::IntArrayRef strides) {
  forms::Form* form = form_of(self);
  if (form == nullptr)
    return {};
  std::optional<Growing> found;
  {
    const forms::Form::Lock lock(*form);
    found = growing(self, *form, &step);
    if (!found)
      return {};
  }
  const Held other = step.other;
  auto made = make(found->chain->base(), found->chain, std::move(step), self.sizes(), strides, found->layout);
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
    const auto found = growing(self, *form, &step);
    if (!found)
      return false;
    chain = found->chain;
    chain->append(std::move(step));
    form->due.reset();
    form->origin = {};
  }
  joined(chain, other);
  return true;
}

bool observe(const at::Tensor& tensor, Observer observer) {
  forms::Form* form = tensor.has_storage() ? forms::Form::of(*tensor.storage().unsafeGetStorageImpl()) : nullptr;
  if (form == nullptr)
    return false;
  const forms::Form::Lock lock(*form);
  if (!form->open)
    return false;
  std::static_pointer_cast<Chain>(form->open)->observe(std::move(observer));
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
  const Counters& all = counters();
  return {all.opened.load(), all.extended.load(), all.fused.load(), all.applied.load()};
}

} // namespace ipex::fusion
