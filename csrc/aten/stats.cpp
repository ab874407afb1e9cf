// The table of operator statistics and the fallback policy.
#include "aten/stats.h"

#include <c10/util/Exception.h>
#include <pthread.h>

#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/check.h"

namespace ipex {

namespace {

class Table {
 public:
  static Table& instance() {
    static auto* table = new Table();
    return *table;
  }

  OperatorStats& row(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto& row = rows_[name];
    if (!row)
      row = std::make_unique<OperatorStats>();
    return *row;
  }

  template <class Visit>
  void for_each(Visit&& visit) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& [name, row] : rows_)
      visit(name, *row);
  }

 private:
  // A child forked while another thread holds the mutex must find it free.
  Table() {
    pthread_atfork(
        [] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); }, [] { instance().mutex_.unlock(); });
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<OperatorStats>> rows_;
};

std::atomic<FallbackPolicy> policy{FallbackPolicy::silent};
std::atomic<bool> native{true};

} // namespace

OperatorStats& operator_stats(const std::string& name) {
  return Table::instance().row(name);
}

std::map<std::string, std::pair<int64_t, int64_t>> snapshot_operator_stats() {
  std::map<std::string, std::pair<int64_t, int64_t>> snapshot;
  Table::instance().for_each([&](const std::string& name, const OperatorStats& row) {
    const int64_t fallbacks = row.fallbacks.load(std::memory_order_relaxed);
    const int64_t native_calls = row.native.load(std::memory_order_relaxed);
    if (native_calls != 0 || fallbacks != 0)
      snapshot.emplace(name, std::pair{native_calls, fallbacks});
  });
  return snapshot;
}

void reset_operator_stats() {
  Table::instance().for_each([](const std::string&, OperatorStats& row) {
    row.native.store(0, std::memory_order_relaxed);
    row.fallbacks.store(0, std::memory_order_relaxed);
    row.warned.store(false, std::memory_order_relaxed);
  });
}

void set_fallback_policy(FallbackPolicy value) {
  policy.store(value, std::memory_order_relaxed);
}

FallbackPolicy fallback_policy() {
  return policy.load(std::memory_order_relaxed);
}

void set_native_enabled(bool enabled) {
  native.store(enabled, std::memory_order_relaxed);
}

bool native_enabled() {
  return native.load(std::memory_order_relaxed);
}

namespace {
thread_local bool is_meant = false;
}

FallbackIsMeant::FallbackIsMeant() : before_(std::exchange(is_meant, true)) {}

FallbackIsMeant::~FallbackIsMeant() {
  is_meant = before_;
}

void enter_fallback(const std::string& name, OperatorStats& stats) {
  const FallbackPolicy now = fallback_policy();
  if (C10_UNLIKELY(now != FallbackPolicy::silent) && !is_meant) {
    IPEX_CHECK(
        now != FallbackPolicy::error,
        E105,
        name,
        "has no native ipex kernel for these arguments and the fallback policy is 'error'");
    if (!stats.warned.exchange(true, std::memory_order_relaxed))
      TORCH_WARN("[", name, "] runs on the CPU fallback of ipex; this is said once per operator");
  }
  stats.fallbacks.fetch_add(1, std::memory_order_relaxed);
}

} // namespace ipex
