// Binds what looks at single tensors: aliases across devices, shared memory, device tests.
#include <torch/csrc/autograd/python_variable.h>

#include "aten/sharing.h"
#include "aten/twin.h"
#include "bindings/bindings.h"

namespace ipex::bindings {

namespace py = pybind11;

namespace {

// Whether any element of a sequence is an ipex tensor; elements that are no tensors are passed over.
bool is_on_device(const py::object& objects) {
  for (const py::handle object : objects)
    if (THPVariable_Check(object.ptr()) && on_device(THPVariable_Unpack(object.ptr())))
      return true;
  return false;
}

} // namespace

void init_tensor(py::module_& module) {
  module.def("as_cpu", &as_cpu, py::arg("tensor"));
  module.def("from_cpu", &from_cpu, py::arg("tensor"));
  module.def("is_on_device", &is_on_device, py::arg("objects"));
  module.def("is_shared", &is_shared, py::arg("tensor"));
  module.def(
      "share_storage_",
      [](const at::Tensor& tensor) {
        const SharedMemory memory = share_storage(tensor);
        return std::pair{memory.fd, memory.nbytes};
      },
      py::arg("tensor"));
}

} // namespace ipex::bindings
