// Counts passes and decides which of them fail.
#include "core/faults.h"

#include <array>
#include <limits>
#include <mutex>

#include "core/check.h"

namespace ipex::faults {

std::atomic<int> detail::armed{0};

namespace {

constexpr std::array kNames = {
#define IPEX_FAULT_SITE(site, name) name,
#include "core/fault_sites.inc"
#undef IPEX_FAULT_SITE
};

struct State {
  std::atomic<bool> armed{false};
  std::atomic<int64_t> passes{0};
  std::atomic<int64_t> faults{0};
  std::atomic<int64_t> first{0};
  std::atomic<int64_t> end{0};
};

std::array<State, kNames.size()> states;
std::mutex mutex; // of arm() and disarm()

State& state_of(const std::string& name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i])
      return states[i];
  std::string accepted;
  for (const char* site : kNames)
    accepted.append(accepted.empty() ? "" : ", ").append(site);
  raise(ErrorCode::E103, "faults", "got site '" + name + "'; accepted: " + accepted);
}

} // namespace

bool detail::pass(Site site) {
  State& state = states[static_cast<size_t>(site)];
  if (!state.armed.load(std::memory_order_acquire))
    return false;
  const int64_t pass = state.passes.fetch_add(1, std::memory_order_relaxed) + 1;
  if (pass < state.first.load(std::memory_order_relaxed) || pass >= state.end.load(std::memory_order_relaxed))
    return false;
  state.faults.fetch_add(1, std::memory_order_relaxed);
  return true;
}

std::vector<std::string> sites() {
  return {kNames.begin(), kNames.end()};
}

void arm(const std::string& name, int64_t first, int64_t times) {
  State& state = state_of(name);
  IPEX_CHECK(first >= 1, E103, "faults", "got at=", first, "; accepted: 1 (the first pass) or more");
  IPEX_CHECK(times >= 0, E103, "faults", "got times=", times, "; accepted: 0 or more");
  const std::lock_guard lock(mutex);
  IPEX_CHECK(!state.armed.load(), E103, "faults", "site '", name, "' is in use; accepted: one use of a site at a time");
  state.passes.store(0);
  state.faults.store(0);
  state.first.store(first);
  state.end.store(
      times > std::numeric_limits<int64_t>::max() - first ? std::numeric_limits<int64_t>::max() : first + times);
  state.armed.store(true, std::memory_order_release);
  detail::armed.fetch_add(1);
}

Count count(const std::string& name) {
  const State& state = state_of(name);
  return {state.passes.load(), state.faults.load()};
}

void disarm(const std::string& name) {
  State& state = state_of(name);
  const std::lock_guard lock(mutex);
  if (state.armed.exchange(false))
    detail::armed.fetch_sub(1);
}

} // namespace ipex::faults
