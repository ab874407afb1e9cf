// Runs one call of an operator on twins: its arguments, its results, what is counted and recorded.
#include "aten/fallback.h"

#include "aten/allowance.h"
#include "aten/on_device.h"
#include "aten/twin.h"
#include "core/check.h"
#include "core/device.h"
#include "core/profile.h"
#include "core/recorder.h"
#include "device/generator.h"
#include "forms/describe.h"

namespace ipex {

namespace {

using at::Tensor;
using c10::IValue;

class Arguments {
 public:
  Arguments(TwinCall& call, const OperatorPlan& plan) : call_(call), plan_(plan) {}

  // False when a Device argument asks for CPU results.
  bool results_on_device() const {
    return results_on_device_;
  }

  void replace(IValue& value, size_t index) {
    const auto& argument = plan_.arguments[index];
    if (C10_LIKELY(value.isTensor()))
      value = IValue(twin(std::move(value).toTensor(), index));
    else if (value.isTensorList())
      replace_list(value, index);
    else if (is_optional_tensor_list(value))
      replace_optional_list(value, index);
    else if (value.isDevice())
      replace_device(value);
    else if (value.isStorage())
      value = IValue(call_.twin(value.toStorage(), argument.written));
    else if (argument.kind == OperatorPlan::Kind::generator)
      value = IValue(cpu_generator(value.isNone() ? default_generator() : value.toGenerator()));
  }

 private:
  Tensor twin(Tensor tensor, size_t index) {
    const bool written = plan_.arguments[index].written;
    if (C10_UNLIKELY(tensor.defined() && !on_device(tensor)))
      check_other_device(tensor, written, index);
    return call_.twin(std::move(tensor), written);
  }

  // As on CUDA: 0-dimensional CPU tensors mix with ipex tensors, others only where the operator is known to allow it.
  void check_other_device(const Tensor& tensor, bool written, size_t index) const {
    const bool scalar = tensor.device().is_cpu() && tensor.dim() == 0 && !written;
    if (scalar || (plan_.traits & kMixedDevices))
      return;
    const std::string& name = plan_.argument_names[index];
    raise(
        ErrorCode::E102,
        plan_.name,
        c10::str(
            "Expected all tensors to be on the same device: ",
            name,
            " is on ",
            tensor.device(),
            ", another argument is on ipex:0; move it with ",
            name,
            ".to(\"ipex\")"));
  }

  void replace_list(IValue& value, size_t index) {
    auto tensors = value.toTensorVector();
    value = IValue();
    for (auto& tensor : tensors)
      tensor = twin(std::move(tensor), index);
    value = IValue(std::move(tensors));
  }

  // isOptionalTensorList() compares pointers to types; TorchScript's lists have a type of their own.
  static bool is_optional_tensor_list(const IValue& value) {
    if (!value.isList())
      return false;
    const auto element = value.toList().elementType();
    return element->kind() == c10::TypeKind::OptionalType &&
        element->castRaw<c10::OptionalType>()->getElementType()->kind() == c10::TypeKind::TensorType;
  }

  void replace_optional_list(IValue& value, size_t index) {
    const auto tensors = value.toListRef();
    c10::List<std::optional<Tensor>> twins;
    twins.reserve(tensors.size());
    for (const IValue& tensor : tensors)
      twins.push_back(tensor.isTensor() ? std::optional<Tensor>(twin(tensor.toTensor(), index)) : std::nullopt);
    value = IValue(std::move(twins));
  }

  void replace_device(IValue& value) {
    const c10::Device device = value.toDevice();
    if (device.type() == kDeviceType) {
      check_device_index(device.index(), plan_.name.c_str());
      value = IValue(kCpu);
    } else {
      results_on_device_ = !device.is_cpu();
    }
  }

  TwinCall& call_;
  const OperatorPlan& plan_;
  bool results_on_device_ = true;
};

// One tensor, as most operators return: no lists to build.
void adopt_single_result(TwinCall& call, IValue& value) {
  Tensor result = std::move(value).toTensor();
  Tensor* slot = &result;
  call.adopt_results(slot);
  value = IValue(std::move(result));
}

void adopt_results(TwinCall& call, const OperatorPlan& plan, torch::jit::Stack& stack) {
  const size_t first = stack.size() - plan.results;
  if (C10_LIKELY(plan.results == 1 && plan.cpu_results == 0 && stack[first].isTensor()))
    return adopt_single_result(call, stack[first]);
  c10::SmallVector<Tensor, 4> tensors; // every tensor of every result, in order
  c10::SmallVector<size_t, 4> owners; // the result that each belongs to
  for (size_t i = 0; i < plan.results; ++i) {
    if (plan.cpu_results & (1u << i))
      continue;
    IValue& value = stack[first + i];
    if (C10_LIKELY(value.isTensor())) {
      tensors.push_back(std::move(value).toTensor());
      owners.push_back(i);
    } else if (value.isTensorList()) {
      auto list = value.toTensorVector();
      value = IValue(); // drop the list's references
      for (auto& tensor : list) {
        tensors.push_back(std::move(tensor));
        owners.push_back(i);
      }
      value = IValue(std::vector<Tensor>());
    }
  }
  c10::SmallVector<Tensor*, 4> slots;
  for (auto& tensor : tensors)
    slots.push_back(&tensor);
  call.adopt_results(slots);
  for (size_t i = 0; i < tensors.size(); ++i) {
    IValue& value = stack[first + owners[i]];
    if (C10_UNLIKELY(value.isTensorList()))
      value.toTensorList().push_back(std::move(tensors[i]));
    else
      value = IValue(std::move(tensors[i]));
  }
}

// Whether a tensor among the last `count` values holds floating point or complex numbers.
bool on_floats(const torch::jit::Stack& stack, size_t count) {
  const auto floating = [](const at::Tensor& tensor) {
    return tensor.defined() && (tensor.is_floating_point() || tensor.is_complex());
  };
  for (size_t i = stack.size() - count; i < stack.size(); ++i) {
    if (stack[i].isTensor() && floating(stack[i].toTensor()))
      return true;
    if (stack[i].isTensorList())
      for (const at::Tensor& tensor : stack[i].toTensorVector())
        if (floating(tensor))
          return true;
  }
  return false;
}

void enter(const OperatorPlan& plan, const torch::jit::Stack& stack) {
  if (C10_UNLIKELY(fallback_policy() != FallbackPolicy::silent) && is_allowed_on_integers(plan.name) &&
      !on_floats(stack, plan.arguments.size()))
    plan.stats.fallbacks.fetch_add(1, std::memory_order_relaxed);
  else
    enter_fallback(plan.name, plan.stats);
}

void run_unrecorded(
    const c10::OperatorHandle& op,
    const OperatorPlan& plan,
    c10::DispatchKey cpu_key,
    torch::jit::Stack& stack) {
  std::optional<profile::Range> profiled;
  if (C10_LIKELY(!(plan.traits & kMovesData)))
    profiled.emplace([&] { return "fallback [" + plan.name + "]"; });
  TwinCall call(plan.name, (plan.traits & kReadsRequiresGrad) != 0);
  Arguments arguments(call, plan);
  const size_t count = plan.arguments.size();
  const size_t first = stack.size() - count;
  for (size_t i = 0; i < count; ++i)
    arguments.replace(stack[first + i], i);
  if (C10_LIKELY(!(plan.traits & kMovesData)))
    enter(plan, stack);
  else
    plan.stats.native_called();
  op.redispatchBoxed(c10::DispatchKeySet(cpu_key), &stack);
  call.bring_back();
  if (C10_LIKELY(arguments.results_on_device()))
    adopt_results(call, plan, stack);
}

// Appends what the tensors among the arguments are.
std::string describe_arguments(const OperatorPlan& plan, const torch::jit::Stack& stack) {
  std::string text;
  for (size_t i = stack.size() - plan.arguments.size(); i < stack.size(); ++i)
    if (stack[i].isTensor() && stack[i].toTensor().defined()) {
      if (!text.empty())
        text += ' ';
      text += forms::summary(stack[i].toTensor());
    }
  return text;
}

void run_recorded(
    const c10::OperatorHandle& op,
    const OperatorPlan& plan,
    c10::DispatchKey cpu_key,
    torch::jit::Stack& stack) {
  const bool moves = (plan.traits & kMovesData) != 0;
  const char* path = moves ? "data movement" : "fallback";
  recorder::Call* declined = recorder::Call::current();
  if (declined != nullptr && declined->row.op == plan.name && declined->row.path == "native") {
    declined->row.path = path;
    if (declined->row.reason.empty())
      declined->row.reason = "the native kernel does not serve these arguments";
    return run_unrecorded(op, plan, cpu_key, stack);
  }
  recorder::Call call(plan.name, describe_arguments(plan, stack));
  call.row.path = path;
  call.row.reason = moves ? "" : "there is no native kernel";
  run_unrecorded(op, plan, cpu_key, stack);
}

} // namespace

void run_on_twins(
    const c10::OperatorHandle& op,
    const OperatorPlan& plan,
    c10::DispatchKey cpu_key,
    torch::jit::Stack& stack) {
  if (C10_UNLIKELY(recorder::active()))
    return run_recorded(op, plan, cpu_key, stack);
  run_unrecorded(op, plan, cpu_key, stack);
}

} // namespace ipex
