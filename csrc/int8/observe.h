// What happens around the kernel of an operator with an entry: observation in calibration, a turn in inference.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <vector>

#include "forms/form.h"
#include "int8/recipe.h"
#include "int8/run.h"
#include "int8/turn.h"

namespace ipex::int8 {

// Looks at the values that an operator reads and makes. Values that are open are looked at when they are computed, so that
// nothing is computed otherwise than without calibration.
class Observation {
 public:
  // Before the kernel runs.
  Observation(Run& run, const Place& place, const std::vector<at::Tensor>& inputs);

  // After it.
  void finish(const at::Tensor& result);

 private:
  Run& run_;
  const Place place_;
  std::shared_ptr<Statistics> output_statistics_;
};

// What an entry says about one call in inference.
class Plan {
 public:
  Plan(Recipe& recipe, size_t position);

  template <class Kernel>
  decltype(auto) run(Kernel kernel) const {
    const Turn turn(inputs_, output_, per_channel_);
    const Current current(quantized_ ? &turn : nullptr);
    return kernel();
  }

  // Says what the result is due to become. `is_fresh`: it was not there before.
  void finish(const at::Tensor& result, bool is_fresh) const;

 private:
  class Current {
   public:
    explicit Current(const Turn* turn) : before_(std::exchange(detail::turn, turn)) {}
    ~Current() {
      detail::turn = before_;
    }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    const Turn* const before_;
  };

  bool quantized_, per_channel_;
  std::vector<forms::Quantization> inputs_;
  forms::Quantization output_;
};

} // namespace ipex::int8
