// diff_src = diff_dst * gelu'(src), with gelu'(x) = Phi(x) + x * Phi'(x) and Phi as in gelu.cpp.
//
//   schema    aten::gelu_backward(Tensor grad_output, Tensor self, *, str approximate='none') -> Tensor
//   src       dense in any dimension order; f32, bf16, f16
//   diff_dst  same shape, strides and dtype
//   diff_src  same shape, strides and dtype
//   else      CPU fallback: other strides and dtypes, broadcasting, no elements; with "tanh" also |src| > 1e9 or NaN
//             (oneDNN computes src^3, which overflows where stock PyTorch's formula does not)
//   errors    RuntimeError when `approximate` is neither "none" nor "tanh"
//   source    oneDNN developer guide, "Eltwise"
#include "aten/fallback.h"
#include "forms/storage.h"
#include "onednn/eltwise.h"
#include "ops/elementwise.h"
#include "ops/gelu_algorithm.h"
#include "ops/kernels.h"
#include "ops/nonfinite.h"

namespace ipex::ops {

at::Tensor gelu_backward(const at::Tensor& grad_output, const at::Tensor& self, c10::string_view approximate) {
  const auto algorithm = gelu_algorithm(approximate);
  const bool alike = self.is_floating_point() && grad_output.scalar_type() == self.scalar_type() &&
      grad_output.sizes() == self.sizes() && grad_output.strides() == self.strides();
  const auto values = alike ? values_of(self) : std::nullopt;
  auto kernel = values && algorithm
      ? onednn::find(onednn::EltwiseBackward{.algorithm = *algorithm, .alpha = 0, .beta = 0, .values = *values})
      : nullptr;
  if (kernel && algorithm == dnnl::algorithm::eltwise_gelu_tanh && !all_within(self, 1e9f))
    kernel = nullptr;
  if (!kernel)
    return fallback<at::_ops::gelu_backward>(grad_output, self, approximate);

  at::Tensor diff_src = empty_result(self);
  kernel->run(
      {{DNNL_ARG_SRC, read_bytes(self)},
       {DNNL_ARG_DIFF_DST, read_bytes(grad_output)},
       {DNNL_ARG_DIFF_SRC, write_bytes(diff_src)}});
  return diff_src;
}

} // namespace ipex::ops
