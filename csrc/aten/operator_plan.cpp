// Reads a schema into an OperatorPlan.
#include "aten/operator_plan.h"

namespace ipex {

namespace {

bool is_generator(const c10::Type& type) {
  if (const auto optional = type.cast<c10::OptionalType>())
    return is_generator(*optional->getElementType());
  return type.kind() == c10::TypeKind::GeneratorType;
}

} // namespace

OperatorPlan::OperatorPlan(const c10::OperatorHandle& op)
    : name(c10::toString(op.operator_name())),
      traits(operator_traits(name)),
      cpu_results((traits & kCpuResults) ? cpu_result_mask(name) : 0),
      results(op.schema().returns().size()),
      stats(operator_stats(name)) {
  for (const auto& argument : op.schema().arguments()) {
    const auto* alias = argument.alias_info();
    const bool written = (alias != nullptr && alias->isWrite()) || (traits & kWritesInputs) != 0;
    arguments.push_back({is_generator(*argument.type()) ? Kind::generator : Kind::other, written});
    argument_names.push_back(argument.name());
  }
}

} // namespace ipex
