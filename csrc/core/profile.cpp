// Hands events to the observers of at::RecordFunction, of which torch.profiler is one, and to the sink.
#include "core/profile.h"

#include <ATen/EmptyTensor.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <unordered_map>

namespace ipex::profile {

std::atomic<int> detail::profilers{0};

namespace {

// Profilers observe every scope. Those that look for operators only (csrc/amp/mode.cpp, execution traces) do not see this one.
constexpr auto kScope = at::RecordScope::KERNEL_FUNCTION_DTYPE;

std::atomic<DeviceSink> device_sink{nullptr};

thread_local int64_t kernels = 0; // that are running, one inside of the other

// Whether somebody listens to this thread. Inside of a parallel loop it works for a kernel that has an event already.
bool is_observed() {
  if (at::in_parallel_region())
    return false;
  return device_sink.load(std::memory_order_relaxed) != nullptr || at::getStepCallbacksUnlessEmpty(kScope).has_value();
}

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

c10::DimVector row_major(const c10::DimVector& sizes) {
  c10::DimVector strides(sizes.size(), 1);
  for (size_t dim = sizes.size(); dim-- > 1;)
    strides[dim - 1] = strides[dim] * std::max<int64_t>(sizes[dim], 1);
  return strides;
}

// Observers take sizes from tensors; these have no memory.
c10::IValue stand_in(const Operand& operand) {
  const auto strides = operand.strides.empty() ? row_major(operand.sizes) : operand.strides;
  return at::Tensor(at::detail::empty_strided_meta(operand.sizes, strides, operand.dtype));
}

} // namespace

struct detail::Running {
  Running(std::string text) : name("ipex::" + std::move(text)) {}

  void observe(const Details& details) {
    function.emplace(kScope);
    if (!function->isActive())
      return;
    std::unordered_map<std::string, c10::IValue> words;
    if (!implementation.empty())
      words.emplace("implementation", implementation);
    if (!details.post_ops.empty())
      words.emplace("post_ops", details.post_ops);
    if (!function->needsInputs())
      return function->before(name, &words);
    for (const Operand& operand : details.operands)
      inputs.push_back(stand_in(operand));
    function->before(name, c10::ArrayRef<const c10::IValue>(inputs.data(), inputs.size()), &words);
  }

  std::string name;
  std::string implementation{}; // empty: a range
  std::vector<Operand> operands{};
  int64_t start = 0; // 0: no event of the device
  std::vector<c10::IValue> inputs{};
  std::optional<at::RecordFunction> function{};
};

void Event::end() {
  const std::unique_ptr<detail::Running> running(running_);
  if (running->implementation.empty())
    return;
  --kernels;
  if (const DeviceSink sink = device_sink.load(); sink != nullptr && running->start != 0)
    sink({running->name, running->implementation, std::move(running->operands), running->start, now()});
}

void Kernel::begin(const char* name, std::string_view implementation, c10::function_ref<Details()> details) {
  if (!is_observed())
    return;
  Details known = details();
  auto running = std::make_unique<detail::Running>(
      c10::str(name, known.post_ops.empty() ? "" : "+", known.post_ops, " [", implementation, "]"));
  running->implementation = implementation;
  running->observe(known);
  if (kernels++ == 0 && device_sink.load() != nullptr) {
    running->operands = std::move(known.operands);
    running->start = now();
  }
  running_ = running.release();
}

void Range::begin(c10::function_ref<std::string()> name) {
  if (!is_observed())
    return;
  auto running = std::make_unique<detail::Running>(name());
  running->observe({});
  running_ = running.release();
}

void profiler_started(DeviceSink sink) {
  device_sink.store(sink);
  detail::profilers.fetch_add(1);
}

void profiler_stopped() {
  detail::profilers.fetch_sub(1);
  device_sink.store(nullptr);
}

} // namespace ipex::profile
