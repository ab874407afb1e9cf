// Binds activation, the generator, memory and errors.
#include <torch/csrc/Generator.h>

#include "aten/fallback.h"
#include "bindings/bindings.h"
#include "core/check.h"
#include "device/allocator.h"
#include "device/generator.h"
#include "device/hooks.h"

namespace ipex::bindings {

namespace py = pybind11;

void init_device(py::module_& module) {
  module.def("initialize", [] {
    register_hooks();
    register_fallbacks();
  });
  module.def("default_generator", [] {
    // One Python object per generator, so that identity holds; it lives as long as the process.
    static PyObject* const object = THPGenerator_initDefaultGenerator(default_generator());
    return py::reinterpret_borrow<py::object>(object);
  });
  module.def("memory_trim", &trim_memory, py::call_guard<py::gil_scoped_release>());
  module.def(
      "raise_error",
      [](const std::string& code, const std::string& where, const std::string& message) {
        raise(error_code(code), where, message);
      },
      py::arg("code"),
      py::arg("where"),
      py::arg("message"));
}

} // namespace ipex::bindings
