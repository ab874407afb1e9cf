// Binds what programs of the compiler call often: operators as functions of Python with PyTorch's own parser of arguments.
// torch.ops takes its arguments through the JIT's boxed values, which costs a convolution of 16 arguments 6 us.
#include <torch/csrc/Exceptions.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/utils/pybind.h>
#include <torch/csrc/utils/python_arg_parser.h>

#include "bindings/bindings.h"
#include "custom_ops/convolution.h"

namespace ipex::bindings {

namespace py = pybind11;

namespace {

PyObject* convolution(PyObject* /*self*/, PyObject* args, PyObject* kwargs) {
  HANDLE_TH_ERRORS
  static torch::PythonArgParser parser(
      {"convolution(Tensor input, Tensor weight, Tensor? bias, SymIntArrayRef stride, SymIntArrayRef padding, "
       "SymIntArrayRef dilation, bool transposed, SymIntArrayRef output_padding, SymInt groups, Tensor? other=None, "
       "c10::string_view post_op=\"\", Tensor? norm_mean=None, Tensor? norm_var=None, Tensor? norm_weight=None, "
       "Tensor? norm_bias=None, double norm_eps=0.0)"});
  torch::ParsedArgs<16> parsed;
  auto given = parser.parse(args, kwargs, parsed);
  const at::Tensor input = given.tensor(0), weight = given.tensor(1);
  const auto bias = given.optionalTensor(2), other = given.optionalTensor(9);
  const auto stride = given.symintlist(3), padding = given.symintlist(4), dilation = given.symintlist(5),
             output_padding = given.symintlist(7);
  const auto mean = given.optionalTensor(11), var = given.optionalTensor(12), norm_weight = given.optionalTensor(13),
             norm_bias = given.optionalTensor(14);
  const auto post_op = given.stringView(10);
  const custom_ops::Forward forward{
      input,
      weight,
      bias,
      {stride, padding, dilation, given.toBool(6), output_padding, given.toSymInt(8)},
      other,
      {post_op.data(), post_op.size()},
      {mean, var, norm_weight, norm_bias, given.toDouble(15)}};
  at::Tensor made;
  {
    const py::gil_scoped_release release;
    made = custom_ops::Operator<custom_ops::Forward>::call(forward);
  }
  return THPVariable_Wrap(std::move(made));
  END_HANDLE_TH_ERRORS
}

PyMethodDef methods[] = {
    {"convolution",
     // CPython's type of functions with keywords
     reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(convolution)),
     METH_VARARGS | METH_KEYWORDS,
     "convolution(input: Tensor, weight: Tensor, bias: Tensor | None, stride: Sequence, padding: Sequence, dilation: "
     "Sequence, transposed: bool, output_padding: Sequence, groups: int, other: Tensor | None, post_op: str, norm_mean: "
     "Tensor | None, norm_var: Tensor | None, norm_weight: Tensor | None, norm_bias: Tensor | None, norm_eps: float) -> "
     "Tensor"},
    {nullptr, nullptr, 0, nullptr},
};

} // namespace

void init_compiled(py::module_& module) {
  if (PyModule_AddFunctions(module.ptr(), methods) != 0)
    throw py::error_already_set();
}

} // namespace ipex::bindings
