// Faults on purpose: tests have a request for memory, or a call of oneDNN, fail as if the system had refused it.
//
// A place that can fail asks strikes(its site) and, if so, goes the way of a real failure. Costs one relaxed load of an
// atomic while no test wants faults.
#pragma once

#include <c10/macros/Macros.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "core/visibility.h"

namespace ipex::faults {

enum class Site {
#define IPEX_FAULT_SITE(site, name) site,
#include "core/fault_sites.inc"
#undef IPEX_FAULT_SITE
};

namespace detail {
extern std::atomic<int> armed; // sites that are counted
bool pass(Site site);
} // namespace detail

// Counts a pass through `site`; whether it is to fail.
inline bool strikes(Site site) {
  return C10_UNLIKELY(detail::armed.load(std::memory_order_relaxed) != 0) && detail::pass(site);
}

struct Count {
  int64_t passes = 0;
  int64_t faults = 0;
};

// The names of all sites.
IPEX_API std::vector<std::string> sites();

// Counts the passes of all threads through the site called `name` from now on and has `times` of them fail, the
// `first`-th (from 1) and those after it; none when `times` is 0. E103 for a name, or numbers, that are not accepted, and
// for a site that is counted already.
IPEX_API void arm(const std::string& name, int64_t first, int64_t times);

// What was counted so far.
IPEX_API Count count(const std::string& name);

// Counts no longer, and lets nothing fail.
IPEX_API void disarm(const std::string& name);

} // namespace ipex::faults
