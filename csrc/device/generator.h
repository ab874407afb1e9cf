// The device's random number generator: a shell round PyTorch's CPU generator, so equal seeds give equal numbers.
#pragma once

#include <ATen/core/Generator.h>

#include "core/visibility.h"

namespace ipex {

IPEX_API at::Generator& default_generator();

at::Generator make_generator();

// The CPU generator inside an ipex generator; an undefined one is returned as it is, one of another device is E102.
at::Generator cpu_generator(const at::Generator& generator);

} // namespace ipex
