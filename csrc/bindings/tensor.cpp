// Binds what looks at single tensors: aliases across devices, shared memory, device tests.
#include <torch/csrc/autograd/python_variable.h>

#include "aten/alias.h"
#include "aten/on_device.h"
#include "aten/read_alias.h"
#include "aten/sharing.h"
#include "bindings/bindings.h"
#include "forms/describe.h"
#include "forms/operand.h"
#include "forms/statistics.h"
#include "forms/storage.h"

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

py::list as_list(c10::IntArrayRef values) {
  py::list list;
  for (const int64_t value : values)
    list.append(value);
  return list;
}

// What torch.ipex.physical_form shows; None for memory that is not an ipex allocation's.
py::object physical_form(const at::Tensor& tensor) {
  const forms::Description form = forms::describe(tensor);
  py::dict result;
  result["plain"] = form.plain;
  result["open"] = form.open;
  result["strides"] = form.strides ? py::object(as_list(*form.strides)) : py::none();
  result["dtype"] = c10::toString(form.dtype);
  const auto as = form.quantization;
  result["scale"] = as ? py::object(py::float_(as->scale)) : py::none();
  result["quantized_dtype"] =
      as ? py::object(py::str(as->dtype == dnnl::memory::data_type::u8 ? "Byte" : "Char")) : py::none();
  result["packed"] = py::cast(form.packed);
  result["packed_bytes"] = form.packed_bytes;
  result["generation"] = form.generation;
  return result;
}

} // namespace

void init_tensor(py::module_& module) {
  module.def("as_cpu", &as_cpu, py::arg("tensor"));
  module.def("read_alias", &read_alias, py::arg("tensor"));
  module.def("from_cpu", &from_cpu, py::arg("tensor"));
  module.def("physical_form", &physical_form, py::arg("tensor"));
  module.def(
      "with_order",
      [](const at::Tensor& tensor, const std::vector<int64_t>& order) { return forms::with_order(tensor, order); },
      py::arg("tensor"),
      py::arg("order"));
  module.def("read_operand", &forms::copy_of_operand, py::arg("tensor"));
  module.def("mark_written", [](const at::Tensor& tensor) { write_bytes(tensor); }, py::arg("tensor"));
  module.def("form_statistics", [] {
    const forms::FormStatistics statistics = forms::form_statistics();
    py::dict result;
    result["reorders"] = statistics.reorders;
    result["reordered_bytes"] = statistics.reordered_bytes;
    result["materializations"] = statistics.materializations;
    result["packs"] = statistics.packs;
    result["packed_hits"] = statistics.packed_hits;
    return result;
  });
  module.def("reset_form_statistics", &forms::reset_form_statistics);
  module.def("is_on_device", &is_on_device, py::arg("objects"));
  module.def("owner_of_memory", &owner_of_memory, py::arg("tensor"));
  module.def(
      "move_memory_", &move_memory, py::arg("tensor"), py::arg("target"), py::call_guard<py::gil_scoped_release>());
  module.def("has_descriptor", &has_descriptor, py::arg("owner"));
}

} // namespace ipex::bindings
