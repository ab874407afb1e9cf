// Times of forward, backward and communication for the statistics of DistributedDataParallel, which warns without them.
//
// Kernels run in the calling thread, so a time stamp of the host is one of the device.
#include <torch/csrc/distributed/c10d/reducer_timer.hpp>

#include "core/device.h"
#include "device/synchronize.h"

namespace ipex::distributed {

namespace {

class Timer final : public c10d::Timer {
 public:
  explicit Timer(c10::Device) {}

  void record(Event event) override {
    synchronize(); // what was left open belongs to the time before
    c10d::Timer::record(event);
  }

  std::optional<int64_t> measureDifference(Event start, Event end) override {
    const auto first = getTimestamp(start), last = getTimestamp(end);
    // An event that did not happen in this iteration may have a stamp of an earlier one.
    if (!first || !last || *last < *first)
      return std::nullopt;
    return *last - *first;
  }
};

} // namespace

} // namespace ipex::distributed

namespace c10d {

C10_REGISTER_TYPED_CLASS(TimerRegistry, ipex::kDeviceType, ipex::distributed::Timer);

} // namespace c10d
