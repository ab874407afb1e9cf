// Lines for kernels of ours in the log that ONEDNN_VERBOSE asks oneDNN for, in its form.
#pragma once

#include <c10/util/FunctionRef.h>

#include <chrono>
#include <string>

#include "core/visibility.h"

namespace ipex::onednn {

// Whether executions are logged from now on; at first what ONEDNN_VERBOSE says.
IPEX_API void set_log_executions(bool logs);

// One execution, from construction to destruction. Costs the test of a flag when nobody asked.
class LoggedExecution {
 public:
  // `primitive` is "convolution" or the like, `problem` the operands and sizes.
  LoggedExecution(const char* primitive, const char* implementation, c10::function_ref<std::string()> problem);
  ~LoggedExecution();
  LoggedExecution(const LoggedExecution&) = delete;
  LoggedExecution& operator=(const LoggedExecution&) = delete;

 private:
  std::string text_; // empty: nobody asked
  std::chrono::steady_clock::time_point start_;
};

} // namespace ipex::onednn
