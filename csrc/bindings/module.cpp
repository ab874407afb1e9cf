// torch_ipex_device._C: the list of what is bound; names and types are in torch_ipex_device/_C.pyi.
#include "bindings/bindings.h"

PYBIND11_MODULE(_C, module) {
  using namespace ipex::bindings;
  init_amp(module);
  init_build(module);
  init_compiled(module);
  init_device(module);
  init_distributed(module);
  init_faults(module);
  init_fusion(module);
  init_int8(module);
  init_onednn(module);
  init_operators(module);
  init_tensor(module);
}
