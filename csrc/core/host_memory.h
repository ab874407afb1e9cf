// What the machine says about its memory.
#pragma once

#include <cstddef>
#include <string>

namespace ipex {

// Value in bytes of a `Key:   123 kB` line of /proc/meminfo; 0 when there is none.
size_t meminfo(const std::string& key);

} // namespace ipex
