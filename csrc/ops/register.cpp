// Registers the kernels of registry.inc. Each is called through an entry that counts the call and sends it to the CPU
// fallback when native kernels are switched off or an argument is not on ipex (the fallback decides if that is
// allowed).
#include <ATen/ATen.h>
#include <torch/library.h>

#include "amp/call.h"
#include "aten/fallback.h"
#include "aten/on_device.h"
#include "aten/operator_name.h"
#include "aten/stats.h"
#include "aten/traced.h"
#include "core/recorder.h"
#include "forms/describe.h"
#include "int8/call.h"
#include "ops/kernels.h"
#include "ops/register.h"

namespace ipex::ops {

namespace {

// Whether an argument is not on ipex. `scalars` lets CPU tensors of 0 dimensions pass.
[[maybe_unused]] bool elsewhere(const at::Tensor& tensor, bool scalars) {
  return tensor.defined() && !on_device(tensor) && !(scalars && tensor.dim() == 0 && tensor.device().is_cpu());
}

[[maybe_unused]] bool elsewhere(const std::optional<at::Tensor>& tensor, bool scalars) {
  return tensor && elsewhere(*tensor, scalars);
}

[[maybe_unused]] bool elsewhere(at::TensorList tensors, bool scalars) {
  return std::any_of(
      tensors.begin(), tensors.end(), [&](const at::Tensor& tensor) { return elsewhere(tensor, scalars); });
}

[[maybe_unused]] bool elsewhere(const at::ITensorListRef& tensors, bool scalars) {
  return std::any_of(
      tensors.begin(), tensors.end(), [&](const at::Tensor& tensor) { return elsewhere(tensor, scalars); });
}

template <class NotATensor>
bool elsewhere(const NotATensor&, bool) {
  return false;
}

// Appends "float32[8, 96]", with the dimensions from slowest to fastest when memory has them in another order.
void describe(std::string& text, const at::Tensor& tensor) {
  if (!text.empty())
    text += ' ';
  text += tensor.defined() ? forms::summary(tensor) : "none";
}

[[maybe_unused]] void describe(std::string& text, const std::optional<at::Tensor>& tensor) {
  describe(text, tensor.value_or(at::Tensor()));
}

[[maybe_unused]] void describe(std::string& text, at::TensorList tensors) {
  for (const at::Tensor& tensor : tensors)
    describe(text, tensor);
}

template <class NotATensor>
void describe(std::string&, const NotATensor&) {}

void note_reason(const char* reason) {
  if (recorder::Call* call = recorder::Call::current())
    call->row.reason = reason;
}

template <class Op, bool scalars, class Signature, Signature* kernel>
struct Entry;

template <class Op, bool scalars, class Result, class... Args, Result (*kernel)(Args...)>
struct Entry<Op, scalars, Result(Args...), kernel> {
  static Result call(Args... args) {
    if (C10_UNLIKELY(is_traced<Op>()))
      return call_traced<Op, Result>(std::forward<Args>(args)...);
    static OperatorStats& stats = operator_stats(full_name<Op>());
    stats.native_called();
    if (C10_UNLIKELY(recorder::active())) {
      std::string arguments;
      (describe(arguments, args), ...);
      const recorder::Call recorded(full_name<Op>(), std::move(arguments));
      return run(std::forward<Args>(args)...);
    }
    return run(std::forward<Args>(args)...);
  }

  static Result run(Args... args) {
    if (C10_UNLIKELY((elsewhere(args, scalars) || ...)))
      return note_reason("an argument is not on ipex"), fallback<Op>(std::forward<Args>(args)...);
    if constexpr (!int8::kKind<Op>.name.empty()) {
      using Call = int8::Call<Op, Result(Args...)>;
      if (C10_UNLIKELY(int8::may_run()))
        if (int8::Run* run = int8::running(); run != nullptr && native_enabled() && Call::applies(args...))
          return Call::run(
              *run,
              [](Args... operands) -> Result { return compute(0, std::forward<Args>(operands)...); },
              std::forward<Args>(args)...);
    }
    if constexpr (amp::kPolicy<Op>.precision != amp::Precision::kFloat32) {
      using Call = amp::Call<Op, Result(Args...)>;
      if (C10_UNLIKELY(amp::ever_on()) && native_enabled()) {
        if (Call::applies(args...))
          return Call::in_low_precision(
              [](amp::Positions wide, Args... operands) -> Result {
                return compute(wide, std::forward<Args>(operands)...);
              },
              std::forward<Args>(args)...);
        if constexpr (amp::kMixes<Op>)
          if (Call::mixes(args...))
            return Call::in_mixed_precision(*kernel, std::forward<Args>(args)...);
      }
    }
    return compute(0, std::forward<Args>(args)...);
  }

  // `wide`: results that should be float32 although operands are not.
  static Result compute([[maybe_unused]] amp::Positions wide, Args... args) {
    if (C10_UNLIKELY(!native_enabled()))
      return note_reason("native kernels are switched off"), fallback<Op>(std::forward<Args>(args)...);
    if constexpr (amp::kByWayOfFloat<Op> != amp::ByWayOfFloat::kNever) {
      using Call = amp::Call<Op, Result(Args...)>;
      if (C10_UNLIKELY(Call::goes_by_way_of_float(args...)))
        return Call::by_way_of_float(*kernel, wide, std::forward<Args>(args)...);
    }
    return kernel(std::forward<Args>(args)...);
  }
};

template <class Op, bool scalars, auto* kernel>
void implement(torch::Library& library) {
  using Signature = typename c10::fn_remove_symint<typename Op::schema>::type;
  library.impl(full_name<Op>().c_str(), TORCH_FN((Entry<Op, scalars, Signature, kernel>::call)));
}

} // namespace

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
#define IPEX_OP(op, file) implement<at::_ops::op, false, &ops::op>(library);
#define IPEX_SCALAR_OP(op, file) implement<at::_ops::op, true, &ops::op>(library);
#include "ops/registry.inc"
#undef IPEX_SCALAR_OP
#undef IPEX_OP
}

std::vector<std::string> native_operators() {
  return {
#define IPEX_OP(op, file) full_name<at::_ops::op>(),
#include "ops/registry.inc"
#undef IPEX_OP
  };
}

} // namespace ipex::ops
