// Modes of process and thread, and the mark that a node gets while its forward runs.
#include "amp/mode.h"

#include <ATen/core/grad_mode.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <cstring>
#include <mutex>
#include <typeinfo>

namespace ipex::amp {

namespace detail {
std::atomic<bool> ever_on{false};
}

namespace {

std::atomic<Mode> process_mode{Mode{}};
static_assert(std::atomic<Mode>::is_always_lock_free);

thread_local std::optional<Mode> thread_mode;
thread_local bool suspended = false;

// Says in which mode the forward of a node ran. Does nothing when the node runs.
class Mark final : public torch::autograd::FunctionPreHook {
 public:
  explicit Mark(Mode mode) : mode(mode) {}

  torch::autograd::variable_list operator()(const torch::autograd::variable_list& grads) override {
    return grads;
  }
  void compiled_args(torch::dynamo::autograd::CompiledNodeArgs&) const override {}

  const Mode mode;
};

const Mark* mark_of(torch::autograd::Node& node) {
  for (const auto& hook : node.pre_hooks())
    if (const auto* mark = dynamic_cast<const Mark*>(hook.get()))
      return mark;
  return nullptr;
}

// A torch.autograd.Function: what its backward calls are operators of the program. The class belongs to libtorch_python.
bool is_python(const torch::autograd::Node& node) {
  return std::strcmp(typeid(node).name(), "N5torch8autograd6PyNodeE") == 0;
}

void mark(const at::Tensor& tensor, Mode mode) {
  if (!tensor.defined())
    return;
  torch::autograd::Node* node = torch::autograd::impl::grad_fn_unsafe(tensor);
  if (node != nullptr && !is_python(*node) && mark_of(*node) == nullptr)
    node->add_pre_hook(std::make_unique<Mark>(mode));
}

void mark(const c10::IValue& value, Mode mode) {
  if (value.isTensor())
    mark(value.toTensor(), mode);
  else if (value.isTensorList())
    for (const at::Tensor& tensor : value.toTensorVector())
      mark(tensor, mode);
}

// Called after every operator while a mode is on somewhere.
void after_operator(const at::RecordFunction& call, at::ObserverContext*) {
  if (!at::GradMode::is_enabled() || suspended)
    return;
  const Mode mode = current();
  if (mode.on())
    for (const c10::IValue& output : call.outputs())
      mark(output, mode);
}

// Counts the modes that are on and observes operators while there is one.
class Observer {
 public:
  void add(int change) {
    const std::lock_guard lock(mutex_);
    const bool before = users_ > 0;
    users_ += change;
    if (before == (users_ > 0))
      return;
    if (before)
      return at::disableCallback(*handle_);
    if (handle_)
      return at::reenableCallback(*handle_);
    handle_ = at::addGlobalCallback(
        at::RecordFunctionCallback(
            [](const at::RecordFunction&) -> std::unique_ptr<at::ObserverContext> { return nullptr; }, &after_operator)
            .needsOutputs(true)
            .scopes({at::RecordScope::FUNCTION}));
  }

 private:
  std::mutex mutex_;
  int users_ = 0;
  std::optional<at::CallbackHandle> handle_;
};

Observer& observer() {
  static auto* instance = new Observer();
  return *instance;
}

void count(Mode before, Mode after) {
  if (after.on())
    detail::ever_on.store(true);
  if (before.on() != after.on())
    observer().add(after.on() ? 1 : -1);
}

} // namespace

Mode ambient() {
  return thread_mode ? *thread_mode : process_mode.load(std::memory_order_relaxed);
}

Mode current() {
  if (!ever_on() || suspended)
    return {};
  if (const auto node = torch::autograd::get_current_node(); node && !is_python(*node)) {
    const Mark* mark = mark_of(*node);
    return mark ? mark->mode : Mode{};
  }
  return ambient();
}

void set_process_mode(Mode mode) {
  count(process_mode.exchange(mode), mode);
}

std::optional<Mode> exchange_thread_mode(std::optional<Mode> mode) {
  count(thread_mode.value_or(Mode{}), mode.value_or(Mode{}));
  return std::exchange(thread_mode, mode);
}

Suspended::Suspended() : before_(std::exchange(suspended, true)) {}

Suspended::~Suspended() {
  suspended = before_;
}

} // namespace ipex::amp
