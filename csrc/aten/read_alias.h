// CPU tensors over the memory of ipex tensors, for callers that only read.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/visibility.h"

namespace ipex {

// A CPU tensor over the plain bytes of an ipex tensor, which stay where they are while it lives. Packed copies and physical
// forms stay too, so nobody may write through it. A tensor on another device is returned as it is. Strided tensors only (E104).
IPEX_API at::Tensor read_alias(const at::Tensor& tensor);

} // namespace ipex
