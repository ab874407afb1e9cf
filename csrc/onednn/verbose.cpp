// Reads ONEDNN_VERBOSE as oneDNN 3.2 does: 1 and 2, or a list of words, of which "all", "profile" and "profile_exec" mean
// executions.
#include "onednn/verbose.h"

#include <c10/util/StringUtil.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace ipex::onednn {

namespace {

bool asked_by_environment() {
  const char* value = std::getenv("ONEDNN_VERBOSE");
  if (value == nullptr)
    value = std::getenv("DNNL_VERBOSE");
  std::istringstream words(value ? value : "");
  bool found = false;
  for (std::string word; std::getline(words, word, ',');)
    found |= word == "1" || word == "2" || word == "all" || word == "profile" || word == "profile_exec";
  return found;
}

std::atomic<bool>& logs_executions() {
  static std::atomic<bool> logs{asked_by_environment()};
  return logs;
}

} // namespace

void set_log_executions(bool logs) {
  logs_executions() = logs;
}

LoggedExecution::LoggedExecution(
    const char* primitive,
    const char* implementation,
    c10::function_ref<std::string()> problem) {
  if (C10_LIKELY(!logs_executions().load(std::memory_order_relaxed)))
    return;
  text_ = c10::str("onednn_verbose,exec,cpu,", primitive, ",", implementation, ",", problem());
  start_ = std::chrono::steady_clock::now();
}

LoggedExecution::~LoggedExecution() {
  if (C10_LIKELY(text_.empty()))
    return;
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start_;
  std::printf("%s,%g\n", text_.c_str(), time.count());
  std::fflush(stdout);
}

} // namespace ipex::onednn
