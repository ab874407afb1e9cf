// What one operator's schema means for a call on twins, worked out once: which arguments hold tensors, which are
// written, where generators and devices stand.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <string>
#include <vector>

#include "aten/operator_traits.h"
#include "aten/stats.h"

namespace ipex {

struct OperatorPlan {
  explicit OperatorPlan(const c10::OperatorHandle& op);

  enum class Kind : uint8_t { other, generator };

  struct Argument {
    Kind kind;
    bool written;
  };

  std::string name; // "aten::add.Tensor"
  Traits traits;
  uint32_t cpu_results;
  std::vector<Argument> arguments;
  std::vector<std::string> argument_names;
  size_t results;
  OperatorStats& stats;
};

} // namespace ipex
