// Reads /proc/meminfo.
#include "core/host_memory.h"

#include <fstream>

namespace ipex {

size_t meminfo(const std::string& key) {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  size_t kilobytes = 0;
  while (file >> name >> kilobytes && std::getline(file, unit))
    if (name == key + ":")
      return kilobytes * 1024;
  return 0;
}

} // namespace ipex
