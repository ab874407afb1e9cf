// Lets Module.to() and `p.data = ...` change the tensor inside a Parameter instead of replacing the Parameter.
//
// PyTorch asks whether two tensors have compatible implementations and says no for CPU and PrivateUse1, which would
// untie tied weights and leave optimizers with stale parameters. Both use the plain TensorImpl, so they are compatible.
#include "core/device.h"

namespace ipex {

namespace {

bool has_plain_impl(const at::Tensor& tensor) {
  const auto type = tensor.device().type();
  return (type == c10::DeviceType::CPU || type == kDeviceType) && !tensor.unsafeGetTensorImpl()->is_python_dispatch();
}

bool has_compatible_shallow_copy_type(const at::Tensor& self, const at::Tensor& from) {
  return has_plain_impl(self) && has_plain_impl(from) && self.layout() == from.layout() &&
      self.is_quantized() == from.is_quantized() && self.is_nested() == from.is_nested();
}

// The device has one stream, in program order: memory is never reused while a kernel still reads it.
void record_stream(at::Tensor&, at::Stream) {}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_has_compatible_shallow_copy_type", TORCH_FN(has_compatible_shallow_copy_type));
  m.impl("record_stream", TORCH_FN(record_stream));
}

} // namespace

} // namespace ipex
