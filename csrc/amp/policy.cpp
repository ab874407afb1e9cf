// The table of policies with its changes.
#include "amp/policy.h"

#include <map>

#include "aten/operator_name.h"
#include "core/check.h"

namespace ipex::amp {

namespace {

struct Row {
  Precision initial;
  std::atomic<Precision> now;
};

std::map<std::string, Row>& rows() {
  static auto* instance = [] {
    auto* made = new std::map<std::string, Row>();
    const auto add = [&](const std::string& name, Precision precision) {
      Row& row = (*made)[name];
      row.initial = precision;
      row.now = precision;
    };
#define IPEX_LOW(op, kept, wide) add(full_name<at::_ops::op>(), Precision::kLow);
#define IPEX_FOLLOW(op, kept, wide) add(full_name<at::_ops::op>(), Precision::kFollow);
#include "amp/policy.inc"
#undef IPEX_FOLLOW
#undef IPEX_LOW
    return made;
  }();
  return *instance;
}

} // namespace

std::atomic<Precision>& precision_of(const std::string& name) {
  return rows().at(name).now;
}

std::vector<std::pair<std::string, Precision>> precisions() {
  std::vector<std::pair<std::string, Precision>> all;
  for (const auto& [name, row] : rows())
    all.emplace_back(name, row.now.load());
  return all;
}

void set_precision(const std::string& name, Precision precision) {
  const auto found = rows().find(name);
  IPEX_CHECK(
      found != rows().end(),
      E103,
      "amp.set_policy",
      "got '",
      name,
      "', which always computes in float32; accepted: the names in ipex.amp.policy()");
  found->second.now = precision;
}

void reset_precisions() {
  for (auto& [name, row] : rows())
    row.now = row.initial;
}

} // namespace ipex::amp
