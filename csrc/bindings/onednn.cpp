// Binds the primitive cache and the log of executions.
#include "bindings/bindings.h"
#include "onednn/primitive_cache.h"
#include "onednn/verbose.h"

namespace ipex::bindings {

namespace py = pybind11;

void init_onednn(py::module_& module) {
  module.def("primitive_cache_stats", [] {
    const auto statistics = onednn::primitive_cache_statistics();
    py::dict result;
    result["hits"] = statistics.hits;
    result["misses"] = statistics.misses;
    result["size"] = statistics.size;
    result["capacity"] = statistics.capacity;
    result["lasting"] = statistics.lasting;
    return result;
  });
  module.def("set_primitive_cache_capacity", &onednn::set_primitive_cache_capacity, py::arg("capacity"));
  module.def("set_most_lasting_primitives", &onednn::set_most_lasting_primitives, py::arg("count"));
  module.def("set_log_executions", &onednn::set_log_executions, py::arg("logs"));
}

} // namespace ipex::bindings
