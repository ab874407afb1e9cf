// Binds faults on purpose; torch_ipex_device/testing/fault_injection.py is their interface.
#include "core/faults.h"

#include "bindings/bindings.h"

namespace ipex::bindings {

namespace py = pybind11;

void init_faults(py::module_& module) {
  module.def("fault_sites", &faults::sites);
  module.def("arm_faults", &faults::arm, py::arg("site"), py::arg("at"), py::arg("times"));
  module.def(
      "count_faults",
      [](const std::string& site) {
        const faults::Count count = faults::count(site);
        return py::make_tuple(count.passes, count.faults);
      },
      py::arg("site"));
  module.def("disarm_faults", &faults::disarm, py::arg("site"));
}

} // namespace ipex::bindings
