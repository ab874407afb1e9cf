// Per operator: how many calls a native kernel served and how many the CPU fallback served, and the fallback policy.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "core/visibility.h"

namespace ipex {

struct OperatorStats {
  std::atomic<int64_t> native{0}; // calls that a native kernel served
  std::atomic<int64_t> fallbacks{0}; // calls that ran on the CPU fallback
  std::atomic<bool> warned{false};

  // A call reached a native kernel; native_declined() takes it back when the kernel hands it to the fallback.
  void native_called() {
    native.fetch_add(1, std::memory_order_relaxed);
  }

  void native_declined() {
    native.fetch_sub(1, std::memory_order_relaxed);
  }
};

// The row of the operator with this full name ("aten::add.Tensor"); made on first use, never moved or freed.
OperatorStats& operator_stats(const std::string& name);

// Name -> (calls served natively, calls served by the fallback), rows that are not zero.
IPEX_API std::map<std::string, std::pair<int64_t, int64_t>> snapshot_operator_stats();

// Sets every row to zero; "warned once" is forgotten too.
IPEX_API void reset_operator_stats();

enum class FallbackPolicy { silent, warn, error };

// What happens when an operator takes the fallback; the process-wide default.
IPEX_API void set_fallback_policy(FallbackPolicy policy);
IPEX_API FallbackPolicy fallback_policy();

// Whether native kernels are used at all; off sends every operator to the fallback.
IPEX_API void set_native_enabled(bool enabled);
IPEX_API bool native_enabled();

// While it lives, this thread's fallbacks are what the program asked for: the policy says nothing about them.
class FallbackIsMeant {
 public:
  FallbackIsMeant();
  ~FallbackIsMeant();
  FallbackIsMeant(const FallbackIsMeant&) = delete;
  FallbackIsMeant& operator=(const FallbackIsMeant&) = delete;

 private:
  const bool before_;
};

// Counts a call that takes the fallback, after asking the policy.
// Throws E105 when the policy is `error`; the call is then not counted.
void enter_fallback(const std::string& name, OperatorStats& stats);

} // namespace ipex
