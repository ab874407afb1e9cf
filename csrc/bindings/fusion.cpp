// Binds eager epilogue fusion.
#include "bindings/bindings.h"
#include "fusion/open_primitive.h"

namespace ipex::bindings {

namespace py = pybind11;

void init_fusion(py::module_& module) {
  module.def("set_eager_fusion", &fusion::set_enabled, py::arg("enabled"), py::call_guard<py::gil_scoped_release>());
  module.def("eager_fusion", &fusion::enabled);
  module.def("fusion_statistics", [] {
    const fusion::Statistics statistics = fusion::statistics();
    py::dict result;
    result["opened"] = statistics.opened;
    result["extended"] = statistics.extended;
    result["fused"] = statistics.fused;
    result["applied"] = statistics.applied;
    return result;
  });
}

} // namespace ipex::bindings
