// What registry.inc registers, for the binding.
#pragma once

#include <string>
#include <vector>

#include "core/visibility.h"

namespace ipex::ops {

// Full names of the operators of registry.inc, "aten::_softmax", in its order.
IPEX_API std::vector<std::string> native_operators();

} // namespace ipex::ops
