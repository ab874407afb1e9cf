// Events for torch.profiler about what runs below the operators: primitives, loops of ours, layout changes, open values.
//
// An event lies inside of the operator that caused it:
//
//   aten::relu
//     ipex::open [convolution+batch_norm+relu]            a Range: something that an earlier operator left open
//       ipex::convolution+mul+add+relu [jit:avx512_core]  a Kernel: the primitive with its post-ops, and who computed it
//
// Costs the test of a flag while nobody profiles.
#pragma once

#include <c10/core/ScalarType.h>
#include <c10/util/DimVector.h>
#include <c10/util/FunctionRef.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ipex::profile {

// A tensor that a kernel reads.
struct Operand {
  c10::ScalarType dtype;
  c10::DimVector sizes;
  c10::DimVector strides{}; // none: row-major
};

struct Details {
  std::vector<Operand> operands{};
  std::string post_ops{}; // "add+relu"
};

namespace detail {
struct Running;
extern std::atomic<int> profilers; // that are at work somewhere in the process
} // namespace detail

inline bool active() {
  return detail::profilers.load(std::memory_order_relaxed) != 0;
}

class Event {
 public:
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

 protected:
  Event() = default;
  ~Event() {
    if (C10_UNLIKELY(running_ != nullptr))
      end();
  }

  detail::Running* running_ = nullptr; // null: nobody profiles

 private:
  void end();
};

// One execution of code that computes, from construction to destruction. The outermost one of a thread is an event of the
// device too, if the profiler wants these.
class Kernel : public Event {
 public:
  // `details` is called while somebody profiles.
  Kernel(const char* name, std::string_view implementation, c10::function_ref<Details()> details) {
    if (C10_UNLIKELY(active()))
      begin(name, implementation, details);
  }

  // A loop of ours whose operands are those of the operator around it.
  explicit Kernel(const char* name) : Kernel(name, "ipex:loop", [] { return Details{}; }) {}

 private:
  void begin(const char* name, std::string_view implementation, c10::function_ref<Details()> details);
};

// What contains kernels. `name` is called while somebody profiles.
class Range : public Event {
 public:
  explicit Range(c10::function_ref<std::string()> name) {
    if (C10_UNLIKELY(active()))
      begin(name);
  }

 private:
  void begin(c10::function_ref<std::string()> name);
};

// A kernel as an event of the device.
struct DeviceEvent {
  std::string name;
  std::string implementation;
  std::vector<Operand> operands;
  int64_t start; // nanoseconds since the epoch
  int64_t end;
};

// Where events of the device go, called in the thread of each.
using DeviceSink = void (*)(DeviceEvent event);

// A profiler starts to observe operators, and wants events of the device if there is a `sink`; and stops.
void profiler_started(DeviceSink sink);
void profiler_stopped();

} // namespace ipex::profile
