// Puts the fallback into the dispatcher: for every operator of ATen that has a CPU kernel and none of ours, and for operators of
// other libraries.
#include "aten/fallback.h"

#include "core/check.h"

namespace ipex {

namespace {

// The kernel that stands in the dispatcher for one operator.
template <c10::DispatchKey cpu_key>
class FallbackKernel final : public c10::OperatorKernel {
 public:
  explicit FallbackKernel(const c10::OperatorHandle& op) : plan_(op) {}

  void operator()(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
    run_on_twins(op, plan_, cpu_key, *stack);
  }

 private:
  OperatorPlan plan_;
};

// Serves operators without a registered fallback: custom operators of other libraries, registered at any time. Their
// schema may change when a library is reloaded, so the plan is made anew for each call.
template <c10::DispatchKey cpu_key>
void global_fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const OperatorPlan plan(op);
  IPEX_CHECK(
      op.hasComputedKernelForDispatchKey(cpu_key),
      E106,
      plan.name,
      "has no kernel for ipex and none for ",
      c10::toString(cpu_key),
      " to fall back to");
  run_on_twins(op, plan, cpu_key, *stack);
}

std::vector<std::string>& registered() {
  static auto* names = new std::vector<std::string>();
  return *names;
}

template <c10::DispatchKey cpu_key, c10::DispatchKey device_key>
void register_key() {
  constexpr bool dense = device_key == c10::DispatchKey::PrivateUse1;
  static auto* library = new torch::Library(torch::Library::IMPL, "aten", device_key, __FILE__, __LINE__);
  auto& dispatcher = c10::Dispatcher::singleton();
  for (const auto& operator_name : dispatcher.getAllOpNames()) {
    if (!operator_name.name.starts_with("aten::"))
      continue;
    const auto op = dispatcher.findSchema(operator_name);
    if (!op || op->hasKernelForDispatchKey(device_key))
      continue;
    const std::string name = c10::toString(operator_name);
    const Traits traits = operator_traits(name);
    // Factories have no tensor to be a twin of; empty_like of a compressed tensor copies its indices.
    const bool factory = name.starts_with("aten::empty") && name != "aten::empty_like";
    if (dense ? (traits & kNative) != 0 : factory)
      continue;
    if (!op->hasKernelForDispatchKey(cpu_key) && !(dense && (traits & kForced)))
      continue;
    library->impl(
        name.c_str() + sizeof("aten::") - 1,
        torch::CppFunction::makeFromBoxedFunctor(std::make_unique<FallbackKernel<cpu_key>>(*op)));
    registered().push_back(dense ? name : name + "@" + c10::toString(device_key));
  }
}

} // namespace

void register_fallbacks() {
  static const bool once = [] {
    register_key<c10::DispatchKey::CPU, c10::DispatchKey::PrivateUse1>();
    register_key<c10::DispatchKey::SparseCPU, c10::DispatchKey::SparsePrivateUse1>();
    register_key<c10::DispatchKey::SparseCsrCPU, c10::DispatchKey::SparseCsrPrivateUse1>();
    register_key<c10::DispatchKey::QuantizedCPU, c10::DispatchKey::QuantizedPrivateUse1>();
    register_key<c10::DispatchKey::NestedTensorCPU, c10::DispatchKey::NestedTensorPrivateUse1>();
    return true;
  }();
  (void)once;
}

const std::vector<std::string>& fallback_operators() {
  return registered();
}

#define IPEX_GLOBAL_FALLBACK(device_key, cpu_key)                                                         \
  TORCH_LIBRARY_IMPL(_, device_key, m) {                                                                  \
    m.fallback(torch::CppFunction::makeFromBoxedFunction<&global_fallback<c10::DispatchKey::cpu_key>>()); \
  }

IPEX_GLOBAL_FALLBACK(PrivateUse1, CPU)
IPEX_GLOBAL_FALLBACK(SparsePrivateUse1, SparseCPU)
IPEX_GLOBAL_FALLBACK(SparseCsrPrivateUse1, SparseCsrCPU)
IPEX_GLOBAL_FALLBACK(QuantizedPrivateUse1, QuantizedCPU)
IPEX_GLOBAL_FALLBACK(NestedTensorPrivateUse1, NestedTensorCPU)

} // namespace ipex
