// Recipe: one entry per operator of a program, in the order of execution; what an AmpConf of int8 holds.
//
// Entries are matched by position and checked by name, module and shape of the weights. A position belongs to a thread that
// runs under the recipe (run.h); entries are shared by all.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/visibility.h"
#include "forms/quantization.h"
#include "int8/statistics.h"

namespace ipex::int8 {

// What identifies an operator of the program.
struct Signature {
  std::string name; // "Convolution"
  std::string op; // "aten::convolution"
  std::optional<std::string> module; // dotted path below the module that was called; nothing: unknown
  std::optional<std::vector<int64_t>> weight_shape;
};

// "Convolution (aten::convolution, module features.0, weights [64, 3, 7, 7])"
IPEX_API std::string text(const Signature& signature);

struct Entry {
  Signature signature;
  bool quantized = true;
  bool per_channel = true;
  std::vector<forms::Quantization> inputs{{}}, outputs{{}};

  // Of calibration.
  std::vector<int64_t> sources; // of each input: the entry whose result it is, or -1
  std::vector<std::shared_ptr<Statistics>> input_statistics, output_statistics;

  // The weights that were seen last; a program that brings others here may be out of step.
  c10::weak_intrusive_ptr<c10::StorageImpl> weights{c10::intrusive_ptr<c10::StorageImpl>()};
  bool has_weights = false; // whether `weights` was set
  bool begins = false; // whether a program was seen to begin here
};

class IPEX_API Recipe : public std::enable_shared_from_this<Recipe> {
 public:
  std::mutex mutex; // of the next three
  std::deque<Entry> entries; // those of a program that repeats itself may become fewer (fold.h)
  int64_t calibrations = 0; // operators that were calibrated so far

  // Written by the archived extension, which gave no entry to some operators. Operators that run ask without the lock.
  std::atomic<bool> is_legacy = false;
};

} // namespace ipex::int8
