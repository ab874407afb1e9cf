// Whether a tensor is on ipex.
#pragma once

#include <ATen/core/Tensor.h>

namespace ipex {

inline bool on_device(const at::Tensor& tensor) {
  return tensor.defined() && tensor.device().type() == c10::DeviceType::PrivateUse1;
}

} // namespace ipex
