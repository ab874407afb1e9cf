// Binds the backend that lets a process group for CPU tensors serve ipex tensors.
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "bindings/bindings.h"
#include "distributed/backend.h"

namespace ipex::bindings {

namespace py = pybind11;

void init_distributed(py::module_& module) {
  module.def("alias_backend", &distributed::alias_backend, py::arg("inner"));
  module.def("is_alias_backend", &distributed::is_alias_backend, py::arg("backend"));
}

} // namespace ipex::bindings
