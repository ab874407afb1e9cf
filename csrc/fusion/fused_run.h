// Runs a oneDNN primitive with as many post-ops as it computes exactly and without becoming another kernel.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "fusion/open_primitive.h"
#include "onednn/primitive_cache.h"

namespace ipex::fusion {

inline bool needs_bound(c10::ArrayRef<const PostOp*> steps) {
  return std::any_of(steps.begin(), steps.end(), [](const PostOp* step) { return step->needs_bound(); });
}

// `kernel` is what find(spec) gives, `spec` having a member `epilogue` that is empty; `bound` is one of the magnitudes
// that it computes. Throws E301.
template <class Spec>
Base::Done run_fused(
    const Spec& spec,
    const std::shared_ptr<const onednn::Primitive>& kernel,
    c10::ArrayRef<onednn::Argument> operands,
    c10::ArrayRef<const PostOp*> steps,
    double bound) {
  for (size_t most = steps.size();; --most) {
    Spec fused = spec;
    std::vector<onednn::Argument> arguments(operands.begin(), operands.end());
    Base::Done done{0, bound};
    while (done.steps < most && steps[done.steps]->append_to(fused.epilogue, arguments, done.bound))
      done.bound = steps[done.steps++]->bound_after(done.bound);
    most = done.steps;
    const auto found = most == 0 ? kernel : onednn::find(fused);
    const bool as_good =
        found && found->weights() == kernel->weights() && found->implementation() == kernel->implementation();
    if (!as_good)
      continue;
    found->run(arguments);
    return done;
  }
}

} // namespace ipex::fusion
