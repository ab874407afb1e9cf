// Binds what programs of the compiler call often: operators as functions of Python. torch.ops takes its arguments through the
// JIT's boxed values, which costs a convolution of 16 arguments 5 us.
#include "bindings/bindings.h"
#include "custom_ops/convolution.h"

namespace ipex::bindings {

namespace py = pybind11;

namespace {

using custom_ops::OptionalTensor;
using custom_ops::SymInts;

at::Tensor convolution(
    const at::Tensor& input,
    const at::Tensor& weight,
    const OptionalTensor& bias,
    SymInts stride,
    SymInts padding,
    SymInts dilation,
    bool transposed,
    SymInts output_padding,
    const c10::SymInt& groups,
    const OptionalTensor& other,
    std::string_view post_op,
    const OptionalTensor& norm_mean,
    const OptionalTensor& norm_var,
    const OptionalTensor& norm_weight,
    const OptionalTensor& norm_bias,
    double norm_eps) {
  return custom_ops::Operator<custom_ops::Forward>::call(
      {input,
       weight,
       bias,
       {stride, padding, dilation, transposed, output_padding, groups},
       other,
       post_op,
       {norm_mean, norm_var, norm_weight, norm_bias, norm_eps}});
}

} // namespace

void init_compiled(py::module_& module) {
  const py::none nothing;
  module.def(
      "convolution",
      &convolution,
      py::arg("input"),
      py::arg("weight"),
      py::arg("bias"),
      py::arg("stride"),
      py::arg("padding"),
      py::arg("dilation"),
      py::arg("transposed"),
      py::arg("output_padding"),
      py::arg("groups"),
      py::arg("other") = nothing,
      py::arg("post_op") = "",
      py::arg("norm_mean") = nothing,
      py::arg("norm_var") = nothing,
      py::arg("norm_weight") = nothing,
      py::arg("norm_bias") = nothing,
      py::arg("norm_eps") = 0.0,
      py::call_guard<py::gil_scoped_release>());
}

} // namespace ipex::bindings
