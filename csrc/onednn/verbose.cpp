// Reads ONEDNN_VERBOSE as oneDNN 3.2 does: 1 and 2, or a list of words, of which "all", "profile" and "profile_exec" mean
// executions.
#include "onednn/verbose.h"

#include <c10/util/StringUtil.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace ipex::onednn {

namespace {

bool logs_executions() {
  static const bool logs = [] {
    const char* value = std::getenv("ONEDNN_VERBOSE");
    if (value == nullptr)
      value = std::getenv("DNNL_VERBOSE");
    std::istringstream words(value ? value : "");
    bool found = false;
    for (std::string word; std::getline(words, word, ',');)
      found |= word == "1" || word == "2" || word == "all" || word == "profile" || word == "profile_exec";
    return found;
  }();
  return logs;
}

} // namespace

LoggedExecution::LoggedExecution(
    const char* primitive,
    const char* implementation,
    c10::function_ref<std::string()> problem) {
  if (C10_LIKELY(!logs_executions()))
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
