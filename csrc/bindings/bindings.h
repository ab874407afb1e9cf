// The parts that module.cpp puts together; each adds its functions to the extension module.
#pragma once

#include <torch/csrc/utils/pybind.h>

namespace ipex::bindings {

void init_amp(pybind11::module_& module);
void init_build(pybind11::module_& module);
void init_compiled(pybind11::module_& module);
void init_device(pybind11::module_& module);
void init_distributed(pybind11::module_& module);
void init_faults(pybind11::module_& module);
void init_fusion(pybind11::module_& module);
void init_int8(pybind11::module_& module);
void init_onednn(pybind11::module_& module);
void init_operators(pybind11::module_& module);
void init_tensor(pybind11::module_& module);

} // namespace ipex::bindings
