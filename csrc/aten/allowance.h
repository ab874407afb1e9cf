// Operators that may take the fallback under every policy, as long as no floating point tensor is involved: counters
// and indices have no fast kernel to miss.
#pragma once

#include <string>
#include <vector>

#include "core/visibility.h"

namespace ipex {

// Replaces the list of full operator names.
IPEX_API void set_allowed_on_integers(std::vector<std::string> names);
IPEX_API std::vector<std::string> allowed_on_integers();
bool is_allowed_on_integers(const std::string& name);

} // namespace ipex
