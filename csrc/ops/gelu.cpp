// gelu(src) = src * Phi(src) with the normal distribution Phi(x) = (1 + erf(x / sqrt 2)) / 2, or with
// (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2 in its place when `approximate` is "tanh".
//
//   schema  aten::gelu(Tensor self, *, str approximate='none') -> Tensor
//   src     dense in any dimension order; f32, bf16, f16
//   dst     same shape, strides and dtype
//   else    CPU fallback: gaps or overlaps in memory, other dtypes, no elements
//   errors  RuntimeError when `approximate` is neither "none" nor "tanh"
//   source  oneDNN developer guide, "Eltwise"
#include "aten/fallback.h"
#include "forms/storage.h"
#include "onednn/eltwise.h"
#include "ops/elementwise.h"
#include "ops/gelu_algorithm.h"
#include "ops/kernels.h"

namespace ipex::ops {

at::Tensor gelu(const at::Tensor& self, c10::string_view approximate) {
  const auto values = self.is_floating_point() ? values_of(self) : std::nullopt;
  const auto algorithm = gelu_algorithm(approximate);
  const auto kernel = values && algorithm
      ? onednn::find(onednn::EltwiseForward{.algorithm = *algorithm, .alpha = 0, .beta = 0, .values = *values})
      : nullptr;
  if (!kernel)
    return fallback<at::_ops::gelu>(self, approximate);

  at::Tensor dst = empty_result(self);
  kernel->run({{DNNL_ARG_SRC, read_bytes(self)}, {DNNL_ARG_DST, write_bytes(dst)}});
  return dst;
}

} // namespace ipex::ops
