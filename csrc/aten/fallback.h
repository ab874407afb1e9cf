// Runs any operator's CPU kernel on ipex tensors without copying them.
#pragma once

#include <ATen/core/boxing/impl/boxing.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <string>
#include <vector>

#include "aten/operator_plan.h"
#include "core/visibility.h"

namespace ipex {

// Replaces the arguments on `stack` by twins, runs the kernel for `cpu_key` and leaves ipex results on `stack`.
// Counted; asks the fallback policy. Errors of the kernel pass through, the ipex tensors keep their metadata then.
void run_on_twins(
    const c10::OperatorHandle& op,
    const OperatorPlan& plan,
    c10::DispatchKey cpu_key,
    torch::jit::Stack& stack);

// Registers the fallback for every operator that has a CPU kernel and no ipex kernel; once per process. An operator
// registered this way takes precedence over PyTorch's CompositeExplicitAutograd kernels, as it does on CPU.
IPEX_API void register_fallbacks();

// "aten::add.Tensor", and "aten::add.Tensor@SparsePrivateUse1" for the other keys.
IPEX_API const std::vector<std::string>& fallback_operators();

// The CPU kernel of `Op` (a struct of at::_ops) on twins: what a native kernel calls when its predicate says no.
// The call no longer counts as native. Results are returned by value, so Op must not be an in-place or out= overload.
template <class Op, class... Args>
auto fallback(Args&&... args) {
  using Result = typename c10::guts::function_traits<typename Op::schema>::return_type;
  static const c10::OperatorHandle op = c10::Dispatcher::singleton().findSchemaOrThrow(Op::name, Op::overload_name);
  static const OperatorPlan* plan = new OperatorPlan(op);
  plan->stats.native_declined();
  torch::jit::Stack stack;
  stack.reserve(sizeof...(Args));
  torch::jit::push(stack, std::forward<Args>(args)...);
  run_on_twins(op, *plan, c10::DispatchKey::CPU, stack);
  return c10::impl::PopResult<Result>::call(stack);
}

} // namespace ipex
