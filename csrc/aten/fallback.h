// Runs any operator's CPU kernel on ipex tensors without copying them.
#pragma once

#include <ATen/core/boxing/impl/boxing.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <string>
#include <tuple>
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

namespace detail {

// The arguments that an in-place or out= overload returns: those it takes as `Tensor&`.
template <class... Args>
auto written_arguments(Args&&... args) {
  const auto written = [](auto&& arg) {
    if constexpr (std::is_same_v<decltype(arg), at::Tensor&>)
      return std::tuple<at::Tensor&>(arg);
    else
      return std::tuple<>();
  };
  return std::tuple_cat(written(std::forward<Args>(args))...);
}

template <class Op, class Signature>
struct Fallback;

template <class Op, class Result, class... Args>
struct Fallback<Op, Result(Args...)> {
  static Result call(Args... args) {
    static const c10::OperatorHandle op = c10::Dispatcher::singleton().findSchemaOrThrow(Op::name, Op::overload_name);
    static const OperatorPlan* plan = new OperatorPlan(op);
    plan->stats.native_declined();
    torch::jit::Stack stack;
    stack.reserve(sizeof...(Args));
    (torch::jit::push(stack, args), ...);
    run_on_twins(op, *plan, c10::DispatchKey::CPU, stack);
    if constexpr (std::is_void_v<Result>)
      return;
    else if constexpr (std::is_same_v<Result, at::Tensor&>)
      return std::get<0>(written_arguments(std::forward<Args>(args)...));
    else if constexpr (std::is_same_v<Result, const at::Tensor&>)
      return std::get<0>(std::forward_as_tuple(std::forward<Args>(args)...));
    else if constexpr (requires(Result result) { requires std::is_reference_v<std::tuple_element_t<0, Result>>; })
      return written_arguments(std::forward<Args>(args)...);
    else
      return c10::impl::PopResult<Result>::call(stack);
  }
};

} // namespace detail

// The CPU kernel of `Op` (a struct of at::_ops) on twins: what a native kernel calls when its predicate says no.
// The call no longer counts as native.
template <class Op, class... Args>
decltype(auto) fallback(Args&&... args) {
  using Signature = typename c10::fn_remove_symint<typename Op::schema>::type;
  return detail::Fallback<Op, Signature>::call(std::forward<Args>(args)...);
}

} // namespace ipex
