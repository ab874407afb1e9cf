// Turn: the call of an operator that computes in int8, while its kernel runs.
#pragma once

#include <vector>

#include "forms/quantization.h"

namespace ipex::int8 {

class Turn {
 public:
  Turn(const std::vector<forms::Quantization>& inputs, const forms::Quantization& output, bool per_channel)
      : inputs_(inputs),
        output_(output),
        per_channel_(per_channel) {}

  // How a kernel rounds its input `index`, unless that is due already.
  const forms::Quantization& input(size_t index) const {
    return inputs_[index < inputs_.size() ? index : 0];
  }
  // What its result is due to become.
  const forms::Quantization& output() const {
    return output_;
  }
  // Whether weights have one scale per output channel.
  bool per_channel() const {
    return per_channel_;
  }

 private:
  const std::vector<forms::Quantization>& inputs_;
  const forms::Quantization& output_;
  const bool per_channel_;
};

namespace detail {
extern thread_local constinit const Turn* turn;
}

// The call of this thread; null while no operator computes in int8.
inline const Turn* turn() {
  return detail::turn;
}

inline bool active() {
  return turn() != nullptr;
}

} // namespace ipex::int8
