// Mode: whether operators called now compute in low precision.
//
// Three layers, the first that says something counts:
//   node     inside of a backward, the mode in which the node's forward ran, wherever backward was called
//   thread   a context manager's (AutoMixPrecision)
//   process  enable_auto_mixed_precision()'s
// While no layer ever said anything, asking costs one load.
#pragma once

#include <c10/core/ScalarType.h>

#include <atomic>
#include <optional>

#include "core/visibility.h"

namespace ipex::amp {

struct Mode {
  c10::ScalarType dtype = c10::ScalarType::Undefined; // of operators in low precision; Undefined: as the program says
  bool train = false; // a backward will come; changes no result

  bool on() const {
    return dtype != c10::ScalarType::Undefined;
  }
  bool operator==(const Mode&) const = default;
};

namespace detail {
extern std::atomic<bool> ever_on;
}

// Whether any mode was on before; cheap.
inline bool ever_on() {
  return detail::ever_on.load(std::memory_order_relaxed);
}

// The mode of operators called now by this thread.
Mode current();

// The mode of the thread or, without one, of the process, whatever node runs.
IPEX_API Mode ambient();

IPEX_API void set_process_mode(Mode mode);

// Replaces what this thread's contexts say (nothing: no context is open), and returns what they said.
IPEX_API std::optional<Mode> exchange_thread_mode(std::optional<Mode> mode);

// While it lives, operators called by this thread compute as they are told.
class Suspended {
 public:
  Suspended();
  ~Suspended();
  Suspended(const Suspended&) = delete;
  Suspended& operator=(const Suspended&) = delete;

 private:
  const bool before_;
};

} // namespace ipex::amp
