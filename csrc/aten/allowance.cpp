// The list, behind a lock: it is read only under the policies `warn` and `error`.
#include "aten/allowance.h"

#include <algorithm>
#include <mutex>

namespace ipex {

namespace {

std::mutex& mutex() {
  static auto* instance = new std::mutex();
  return *instance;
}

std::vector<std::string>& list() {
  static auto* instance = new std::vector<std::string>();
  return *instance;
}

} // namespace

void set_allowed_on_integers(std::vector<std::string> names) {
  const std::lock_guard lock(mutex());
  list() = std::move(names);
}

std::vector<std::string> allowed_on_integers() {
  const std::lock_guard lock(mutex());
  return list();
}

bool is_allowed_on_integers(const std::string& name) {
  const std::lock_guard lock(mutex());
  return std::find(list().begin(), list().end(), name) != list().end();
}

} // namespace ipex
