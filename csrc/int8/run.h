// Run: what a thread does under a recipe (AutoMixPrecision).
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "int8/kinds.h"
#include "int8/recipe.h"

namespace ipex::int8 {

struct Run {
  std::shared_ptr<Recipe> recipe;
  bool calibrates = false;
  size_t known = 0; // entries when the run began
  size_t position = 0; // of the next entry
  size_t part = 0; // of a compound entry ("Convolution_Relu"), the next
  bool knows_modules = false; // whether `module` is told
  std::optional<std::string> module; // that is being called; nothing: inside of TorchScript
  c10::Storage
      last; // in calibration, of the last result: if nobody else has it, its values are computed to be looked at
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

// Computes the last result of calibration if it was dropped unread or `although_held`, and forgets it.
IPEX_API void look_at_last(Run& run, bool although_held);

// The run ends: after calibration, the last result is computed and programs that repeat themselves become one.
IPEX_API void finish(Run& run);

// A program begins at entry `position`: the outermost module is called.
IPEX_API void begin_program(Run& run, size_t position);

// The entry of an operator that is about to run, and moves on. In calibration it is made if it is new. Throws E402, after
// which the run is at its beginning, and E403.
struct Place {
  size_t position;
  bool is_begin = true, is_end = true; // of the operators of the entry: one, unless it is a compound
};
Place next_entry(Run& run, const Kind& kind, Signature signature, const at::Tensor& weight, size_t inputs);

// Finds the module that is being called by this thread, for operators with weights that nobody knows; nothing: unknown.
using Locator = std::function<std::optional<std::string>()>;
IPEX_API void set_locator(Locator locator);

} // namespace ipex::int8
