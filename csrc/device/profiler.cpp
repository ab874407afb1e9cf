// Time stamps for torch.autograd.profiler.profile(use_device="ipex"), PyTorch's older way of profiling a device.
//
// Kernels run in the calling thread, so a stamp taken on the host around an operator is the time on the device.
// torch.profiler needs one thing of this file: what a range (torch.profiler.record_function) leaves open is computed at
// its end, so that its time is its own.
#include <ATen/record_function.h>
#include <torch/csrc/profiler/stubs/base.h>

#include <chrono>

#include "core/device.h"
#include "device/synchronize.h"

namespace ipex {

namespace {

using Clock = std::chrono::steady_clock;
using torch::profiler::impl::ProfilerVoidEventStub;

struct ProfilerStubs final : public torch::profiler::impl::ProfilerStubs {
  void record(c10::DeviceIndex* device, ProfilerVoidEventStub* event, int64_t* cpu_ns) const override {
    ipex::synchronize();
    const Clock::time_point now = Clock::now();
    if (device != nullptr)
      *device = kDevice.index();
    if (cpu_ns != nullptr)
      *cpu_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
    *event = std::make_shared<Clock::time_point>(now);
  }

  // Microseconds between two stamps.
  float elapsed(const ProfilerVoidEventStub* start, const ProfilerVoidEventStub* end) const override {
    const auto span = *static_cast<Clock::time_point*>(end->get()) - *static_cast<Clock::time_point*>(start->get());
    return std::chrono::duration<float, std::micro>(span).count();
  }

  void mark(const char*) const override {} // there is no tool of a vendor to tell

  void rangePush(const char*) const override {}

  void rangePop() const override {}

  bool enabled() const override {
    return true;
  }

  void onEachDevice(std::function<void(int)> op) const override {
    op(kDevice.index());
  }

  void synchronize() const override {
    ipex::synchronize();
  }
};

const bool registered = [] {
  static ProfilerStubs stubs;
  torch::profiler::impl::registerPrivateUse1Methods(&stubs);
  const auto end = [](const at::RecordFunction&, at::ObserverContext*) { ipex::synchronize(); };
  at::addGlobalCallback(at::RecordFunctionCallback(nullptr, end).scopes({at::RecordScope::USER_SCOPE}));
  return true;
}();

} // namespace

} // namespace ipex
