// Look-up of the rows of operator_traits.inc.
#include "aten/operator_traits.h"

#include <unordered_map>

namespace ipex {

namespace {

struct Row {
  Traits traits;
  uint32_t cpu_results;
};

const Row& row(const std::string& name) {
  static const Row none{kNoTraits, 0};
  static const auto* rows = new std::unordered_map<std::string, Row>{
#define IPEX_TRAITS(name, traits, cpu_results) {name, {traits, cpu_results}},
#include "aten/operator_traits.inc"
#undef IPEX_TRAITS
  };
  static const Row foreign{kReadsRequiresGrad, 0};
  const auto found = rows->find(name);
  return found != rows->end() ? found->second : name.starts_with("aten::") ? none : foreign;
}

} // namespace

Traits operator_traits(const std::string& name) {
  return row(name).traits;
}

uint32_t cpu_result_mask(const std::string& name) {
  return row(name).cpu_results;
}

} // namespace ipex
