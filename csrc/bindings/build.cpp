// Binds what is known about the build and the libraries that are loaded.
#include "bindings/bindings.h"
#include "core/build_info.h"
#include "onednn/engine.h"

namespace ipex::bindings {

namespace py = pybind11;

void init_build(py::module_& module) {
  module.def("build_info", [] {
    py::dict info;
    info["torch"] = IPEX_BUILD_TORCH;
    info["onednn"] = onednn::runtime_version();
    info["onednn_build"] = IPEX_BUILD_ONEDNN;
    info["compiler"] = IPEX_BUILD_COMPILER;
    info["cmake_build_type"] = IPEX_BUILD_TYPE;
    info["cxx_flags"] = IPEX_BUILD_FLAGS;
    return info;
  });
  module.def("cpu_isa", &onednn::cpu_isa);
  module.def("set_bfloat16_emulation", &onednn::set_bfloat16_emulation, py::arg("emulate"));
}

} // namespace ipex::bindings
