// The one window through which a user can see how a tensor's storage holds its values.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "core/visibility.h"
#include "forms/quantization.h"

namespace ipex::forms {

struct Description {
  bool plain = true; // whether the plain bytes exist now
  bool open = false; // whether the values are still to be computed
  std::optional<c10::DimVector> strides; // of this tensor in the physical bytes, in elements; none without such bytes
  c10::ScalarType dtype; // of the physical bytes; without them the tensor's own
  std::optional<Quantization> quantization; // of int8 values that there are or will be
  std::vector<std::string> packed; // oneDNN's format of each packed copy, such as "aBcd8b"
  int64_t packed_bytes = 0;
  int64_t generation = 0; // how often a write has dropped copies
};

// Changes nothing.
IPEX_API Description describe(const at::Tensor& tensor);

// "float32[8, 96]"; where memory has the dimensions in another order than row-major, that order follows: "@acdb". For
// people.
std::string summary(const at::Tensor& tensor);

} // namespace ipex::forms
