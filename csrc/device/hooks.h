// Registers the answers to what PyTorch asks an accelerator outside the dispatcher.
#pragma once

#include "core/visibility.h"

namespace ipex {

// Registers once per process.
IPEX_API void register_hooks();

} // namespace ipex
