// The device guard: one device, one stream in program order, events that are time stamps.
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <chrono>

#include "core/device.h"
#include "device/synchronize.h"

namespace ipex {

namespace {

using Clock = std::chrono::steady_clock;

struct Event {
  Clock::time_point recorded;
};

class Guard final : public c10::impl::DeviceGuardImplInterface {
 public:
  c10::DeviceType type() const override {
    return kDeviceType;
  }

  c10::Device exchangeDevice(c10::Device device) const override {
    check_device_index(device.index(), "device");
    return kDevice;
  }

  c10::Device getDevice() const override {
    return kDevice;
  }

  void setDevice(c10::Device device) const override {
    check_device_index(device.index(), "set_device");
  }

  void uncheckedSetDevice(c10::Device) const noexcept override {}

  c10::Stream getStream(c10::Device) const override {
    return only_stream();
  }

  c10::Stream getDefaultStream(c10::Device) const override {
    return only_stream();
  }

  c10::Stream getStreamFromGlobalPool(c10::Device, bool) const override {
    return only_stream();
  }

  c10::Stream getNewStream(c10::Device device, int) const override {
    check_device_index(device.index(), "Stream");
    return only_stream();
  }

  c10::Stream exchangeStream(c10::Stream) const override {
    return only_stream();
  }

  void* getStreamNativeHandle(const c10::Stream) const override {
    return nullptr;
  }

  c10::DeviceIndex deviceCount() const noexcept override {
    return 1;
  }

  c10::DeviceCapability getDeviceCapability(c10::Device device) const override {
    check_device_index(device.index(), "get_device_capability");
    return {};
  }

  void destroyEvent(void* event, const c10::DeviceIndex) const noexcept override {
    delete static_cast<Event*>(event);
  }

  void record(void** event, const c10::Stream& stream, const c10::DeviceIndex, const c10::EventFlag) const override {
    synchronizeStream(stream);
    if (*event == nullptr)
      *event = new Event();
    static_cast<Event*>(*event)->recorded = Clock::now();
  }

  void block(void*, const c10::Stream&) const override {} // program order is the order of execution

  bool queryEvent(void*) const override {
    return true;
  }

  bool queryStream(const c10::Stream&) const override {
    return true;
  }

  bool isStreamCapturing(const c10::Stream&) const override {
    return false;
  }

  void synchronizeStream(const c10::Stream&) const override {
    synchronize();
  }

  void synchronizeEvent(void*) const override {
    synchronize();
  }

  void synchronizeDevice(const c10::DeviceIndex device) const override {
    check_device_index(device, "synchronize");
    synchronize();
  }

  void recordDataPtrOnStream(const c10::DataPtr&, const c10::Stream&) const override {}

  // Milliseconds between two recorded events.
  double elapsedTime(void* start, void* end, const c10::DeviceIndex) const override {
    IPEX_CHECK(start != nullptr && end != nullptr, E103, "elapsed_time", "both events must be recorded first");
    const auto span = static_cast<Event*>(end)->recorded - static_cast<Event*>(start)->recorded;
    return std::chrono::duration<double, std::milli>(span).count();
  }

 private:
  static c10::Stream only_stream() {
    return c10::Stream(c10::Stream::DEFAULT, kDevice);
  }
};

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

} // namespace

} // namespace ipex
