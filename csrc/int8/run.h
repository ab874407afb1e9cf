// Run: what a thread does under a recipe (AutoMixPrecision).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "int8/kinds.h"
#include "int8/recipe.h"

namespace ipex::int8 {

struct Run {
  std::shared_ptr<Recipe> recipe;
  bool calibrates = false;
  size_t position = 0; // of the next entry
  size_t part = 0; // of a compound entry ("Convolution_Relu"), the next
  bool knows_modules = false; // whether `module` is told
  std::optional<std::string> module; // that is being called; nothing: inside of TorchScript
  bool is_inside = false; // an operator is being run: those that it calls are not the program's
};

namespace detail {
extern thread_local constinit Run* run;
}

// The run of operators called now by this thread; null without one, and inside of a backward.
Run* running();

// Whether the thread may have one; cheap.
inline bool may_run() {
  return detail::run != nullptr;
}

// It, whether operators called now have entries or not.
IPEX_API std::shared_ptr<Run> this_run();

// Replaces the run of this thread, and returns the one before.
IPEX_API std::shared_ptr<Run> exchange_run(std::shared_ptr<Run> run);

// A program begins at entry `position`: the outermost module is called.
IPEX_API void begin_program(Run& run, size_t position);

// The entry of an operator that is about to run, and moves on. In calibration it is made if it is new. Throws E402, after
// which the run is at its beginning, and E403.
size_t next_entry(Run& run, const Kind& kind, const Signature& signature, const at::Tensor& weight, size_t inputs);

} // namespace ipex::int8
