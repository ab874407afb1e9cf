// The one ipex device and the check of device indices.
#pragma once

#include <c10/core/Device.h>

#include "core/check.h"

namespace ipex {

inline constexpr c10::DeviceType kDeviceType = c10::DeviceType::PrivateUse1;
inline const c10::Device kDevice{kDeviceType, 0};
inline const c10::Device kCpu{c10::DeviceType::CPU};

// Throws E202 unless `index` is 0, or -1 for "the current device".
inline void check_device_index(c10::DeviceIndex index, const char* where) {
  IPEX_CHECK(index <= 0, E202, where, "got index ", static_cast<int>(index), "; there is one device, ipex:0");
}

// Throws E202 unless `device`, when given, is on ipex and has a valid index.
inline void check_device(std::optional<c10::Device> device, const char* where) {
  if (!device)
    return;
  TORCH_INTERNAL_ASSERT(device->type() == kDeviceType, where, " reached ipex for device ", *device);
  check_device_index(device->index(), where);
}

} // namespace ipex
