// relu(src) = max(src, 0); NaN stays NaN.
//
//   schema  aten::relu(Tensor self) -> Tensor
//   src     dense in any dimension order; f32, bf16
//   dst     same shape, strides and dtype
//   else    CPU fallback: gaps or overlaps in memory, other dtypes, no elements
//   source  oneDNN developer guide, "Eltwise"
#include "aten/fallback.h"
#include "onednn/eltwise.h"
#include "ops/kernels.h"
#include "ops/unary.h"

namespace ipex::ops {

at::Tensor relu(const at::Tensor& self) {
  const auto operand = unary(self);
  const auto kernel = operand
      ? onednn::find(
            onednn::EltwiseForward{
                .algorithm = dnnl::algorithm::eltwise_relu, .alpha = 0, .beta = 0, .values = operand->values})
      : nullptr;
  if (!kernel)
    return fallback<at::_ops::relu>(self);
  const auto dst = unary_result(self, *operand);
  kernel->run({{DNNL_ARG_SRC, operand->src.data}, {DNNL_ARG_DST, dst.data}});
  return dst.tensor;
}

} // namespace ipex::ops
