// aten::_convolution, the name under which torch.jit.trace records convolutions, in traces of CPU modules too.
//
// PyTorch's own kernel looks for a convolution of the backend by another name, and has no gradient. Here it is a convolution
// from the top, which records gradients and has a native kernel. The tracer leaves aten::convolution out, since it expects to
// see this one inside: so a convolution that is being traced calls it (traced.h).
#include <ATen/ops/_convolution.h>
#include <ATen/ops/convolution.h>
#include <torch/library.h>

namespace ipex {

namespace {

at::Tensor convolution_of_trace(
    const at::Tensor& input,
    const at::Tensor& weight,
    const std::optional<at::Tensor>& bias,
    c10::SymIntArrayRef stride,
    c10::SymIntArrayRef padding,
    c10::SymIntArrayRef dilation,
    bool transposed,
    c10::SymIntArrayRef output_padding,
    c10::SymInt groups,
    bool,
    bool,
    bool,
    bool) {
  return at::convolution_symint(
      input, weight, bias, stride, padding, dilation, transposed, output_padding, std::move(groups));
}

} // namespace

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("_convolution", TORCH_FN(convolution_of_trace));
}

TORCH_LIBRARY_IMPL(aten, AutogradPrivateUse1, library) {
  library.impl("_convolution", TORCH_FN(convolution_of_trace));
}

} // namespace ipex
