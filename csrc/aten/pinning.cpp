// Pinning an ipex tensor, which is refused with what to do instead: DataLoader does it unasked.
#include <torch/library.h>

#include "core/check.h"

namespace ipex {

namespace {

at::Tensor refuse_to_pin(const at::Tensor& self, std::optional<at::Device> /*device*/) {
  raise(
      ErrorCode::E203,
      "pin_memory",
      c10::str(
          "got a tensor on ",
          self.device(),
          "; accepted: CPU tensors. A DataLoader whose dataset returns ipex tensors needs pin_memory=False"));
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_pin_memory", TORCH_FN(refuse_to_pin));
}

} // namespace

} // namespace ipex
