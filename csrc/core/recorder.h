// Recorder: what ipex.explain() collects while it is open, per operator and kind of arguments.
//
// Below the operators nobody knows which operator runs, so a call is a frame on a stack of its thread and whatever
// happens inside (primitives, layout changes) is noted on the innermost frame. Costs one atomic load when closed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/visibility.h"

namespace ipex::recorder {

struct Row {
  std::string op; // "aten::linear"
  std::string path; // "native", "open" (left to a later row), "fallback" or "data movement"
  std::string reason; // why not native
  std::string arguments; // "float32[8, 96] float32[160, 96]"
  std::string implementations; // oneDNN's names, in order
  std::string fused; // operators that ran inside of the primitive, in order
  int64_t calls = 0;
  int64_t nanoseconds = 0; // with everything called inside that has no time apart
  int64_t own_nanoseconds = 0; // without what was called inside
  int64_t reorders = 0;
  int64_t reordered_bytes = 0;
  int64_t materializations = 0;
};

namespace detail {
IPEX_API extern std::atomic<bool> open;
}

inline bool active() {
  return detail::open.load(std::memory_order_relaxed);
}

enum class Time {
  kInside, // part of the time of the call around it
  kApart, // not so: work that an earlier call left open
};

// One call of an operator, from construction to destruction.
class Call {
 public:
  Call(std::string op, std::string arguments, Time time = Time::kInside);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // The call being recorded on this thread; null outside of one.
  static Call* current();

  Row row;

 private:
  Call* const outer_;
  const Time time_;
  int64_t inside_ = 0; // nanoseconds of calls made inside
  const std::chrono::steady_clock::time_point start_;
};

void note_primitive(std::string_view name, std::string_view implementation);
void note_path(std::string_view path);
void note_reorder(int64_t bytes);
void note_materialization();

// Forgets what was recorded before, and begins. Throws E103 when a recording is open already.
IPEX_API void start();

// One call.
struct Event {
  size_t row; // index of its row
  int64_t thread; // the operating system's number
  int64_t start; // nanoseconds since the recording began
  int64_t duration; // nanoseconds, with everything called inside
};

struct Recording {
  std::vector<Row> rows; // in order of first end, equal ones added up
  std::vector<Event> events; // in order of their ends; the first ones, at most kMostEvents
};
constexpr size_t kMostEvents = 1 << 18;

// Ends.
IPEX_API Recording stop();

} // namespace ipex::recorder
