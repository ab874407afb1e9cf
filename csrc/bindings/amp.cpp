// Binds automatic mixed precision.
#include "amp/mode.h"
#include "amp/policy.h"
#include "bindings/bindings.h"
#include "core/check.h"

namespace ipex::bindings {

namespace py = pybind11;

namespace {

using State = std::pair<bool, bool>; // low precision, training

amp::Mode mode_of(State state) {
  return {state.first ? c10::kBFloat16 : c10::ScalarType::Undefined, state.second};
}

State state_of(amp::Mode mode) {
  return {mode.on(), mode.train};
}

constexpr std::pair<const char*, amp::Precision> kPrecisions[] = {
    {"float32", amp::Precision::kFloat32},
    {"follow", amp::Precision::kFollow},
    {"low", amp::Precision::kLow},
};

const char* name_of(amp::Precision precision) {
  for (const auto& [name, value] : kPrecisions)
    if (value == precision)
      return name;
  TORCH_INTERNAL_ASSERT(false, "precision without a name");
}

void set_policy(const std::string& op, const std::string& precision) {
  for (const auto& [name, value] : kPrecisions)
    if (precision == name)
      return amp::set_precision(op, value);
  raise(ErrorCode::E103, "amp.set_policy", "got '" + precision + "'; accepted: low, follow, float32");
}

} // namespace

void init_amp(py::module_& module) {
  module.def("amp_mode", [] { return state_of(amp::ambient()); });
  module.def("set_amp_process_mode", [](State state) { amp::set_process_mode(mode_of(state)); }, py::arg("state"));
  module.def(
      "exchange_amp_thread_mode",
      [](std::optional<State> state) -> std::optional<State> {
        const auto before = amp::exchange_thread_mode(state ? std::optional(mode_of(*state)) : std::nullopt);
        return before ? std::optional(state_of(*before)) : std::nullopt;
      },
      py::arg("state"));
  module.def("amp_policy", [] {
    py::dict result;
    for (const auto& [op, precision] : amp::precisions())
      result[op.c_str()] = name_of(precision);
    return result;
  });
  module.def("set_amp_policy", &set_policy, py::arg("op"), py::arg("precision"));
  module.def("reset_amp_policy", &amp::reset_precisions);
}

} // namespace ipex::bindings
