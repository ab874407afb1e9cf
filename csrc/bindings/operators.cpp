// Binds operator statistics, the fallback policy and the lists of operators.
#include "aten/allowance.h"
#include "aten/fallback.h"
#include "aten/stats.h"
#include "bindings/bindings.h"
#include "core/check.h"
#include "core/recorder.h"
#include "fusion/open_primitive.h"
#include "ops/register.h"

namespace ipex::bindings {

namespace py = pybind11;

namespace {

constexpr std::pair<const char*, FallbackPolicy> kPolicies[] = {
    {"silent", FallbackPolicy::silent},
    {"warn", FallbackPolicy::warn},
    {"error", FallbackPolicy::error},
};

void set_policy(const std::string& name) {
  for (const auto& [policy_name, policy] : kPolicies)
    if (name == policy_name)
      return set_fallback_policy(policy);
  raise(ErrorCode::E501, "set_fallback_policy", "got '" + name + "'; accepted: silent, warn, error");
}

const char* policy_name() {
  for (const auto& [name, policy] : kPolicies)
    if (policy == fallback_policy())
      return name;
  TORCH_INTERNAL_ASSERT(false, "policy without a name");
}

// Ends the recording; what the block left open belongs to it.
recorder::Recording finish_recording() {
  const py::gil_scoped_release release;
  try {
    fusion::close_all();
  } catch (...) {
    recorder::stop();
    throw;
  }
  return recorder::stop();
}

py::tuple stop_recording() {
  const recorder::Recording recording = finish_recording();
  py::list rows;
  for (const recorder::Row& row : recording.rows) {
    py::dict made;
    made["operator"] = row.op;
    made["path"] = row.path;
    made["reason"] = row.reason;
    made["arguments"] = row.arguments;
    made["implementations"] = row.implementations;
    made["fused"] = row.fused;
    made["calls"] = row.calls;
    made["nanoseconds"] = row.nanoseconds;
    made["own_nanoseconds"] = row.own_nanoseconds;
    made["reorders"] = row.reorders;
    made["reordered_bytes"] = row.reordered_bytes;
    made["materializations"] = row.materializations;
    rows.append(made);
  }
  py::list events;
  for (const recorder::Event& event : recording.events)
    events.append(py::make_tuple(event.row, event.thread, event.start, event.duration));
  return py::make_tuple(rows, events);
}

} // namespace

void init_operators(py::module_& module) {
  module.def("operator_stats", &snapshot_operator_stats);
  module.def("reset_operator_stats", &reset_operator_stats);
  module.def("set_fallback_policy", &set_policy, py::arg("policy"));
  module.def("fallback_policy", &policy_name);
  module.def("set_allowed_on_integers", &set_allowed_on_integers, py::arg("names"));
  module.def("allowed_on_integers", &allowed_on_integers);
  module.def("set_native_enabled", &set_native_enabled, py::arg("enabled"));
  module.def("native_enabled", &native_enabled);
  module.def("fallback_operators", &fallback_operators);
  module.def("start_recording", &recorder::start);
  module.def("stop_recording", &stop_recording);
  module.def("native_operators", &ops::native_operators);
}

} // namespace ipex::bindings
