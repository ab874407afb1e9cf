// linear(src, weights)[..., o] = bias[o] + sum over i of src[..., i] * weights[o, i]
//
//   schema  aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor
//   src     [..., I], any strides; f32, bf16
//   weights [O, I], any strides, same dtype; kept packed on the storage
//   bias    [O], same dtype, or absent
//   dst     [..., O], contiguous
//   else    CPU fallback: other dtypes, no elements, shapes that do not fit
//   errors  RuntimeError when shapes do not fit
//   source  oneDNN developer guide, "Inner Product"
#include "aten/fallback.h"
#include "forms/operand.h"
#include "forms/packed.h"
#include "forms/storage.h"
#include "onednn/engine.h"
#include "onednn/inner_product.h"
#include "ops/kernels.h"

namespace ipex::ops {

namespace {

bool fits(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  if (!forms::readable(input) || !forms::readable(weight) || !input.is_floating_point() ||
      input.scalar_type() != weight.scalar_type() || input.numel() == 0 || weight.numel() == 0)
    return false;
  if (input.dim() < 1 || weight.dim() != 2 || input.size(-1) != weight.size(1))
    return false;
  return !bias || !bias->defined() ||
      (bias->dim() == 1 && bias->size(0) == weight.size(0) && bias->scalar_type() == input.scalar_type());
}

} // namespace

at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  const bool has_bias = bias && bias->defined();
  std::shared_ptr<const onednn::Primitive> kernel;
  if (fits(input, weight, bias))
    kernel = onednn::find(
        onednn::InnerProduct{
            .rows = input.numel() / input.size(-1),
            .in = weight.size(1),
            .out = weight.size(0),
            .dtype = onednn::data_type(input.scalar_type()),
            .has_bias = has_bias});
  if (!kernel)
    return fallback<at::_ops::linear>(input, weight, bias);

  const auto src = forms::read_as(input, forms::row_major_strides(input.sizes()));
  const auto layout =
      onednn::Layout::strided(onednn::data_type(weight.scalar_type()), weight.sizes(), weight.strides());
  const auto weights = forms::pack(weight, layout, kernel->weights());
  const auto shift = has_bias ? bias->contiguous() : at::Tensor();
  c10::DimVector sizes(input.sizes());
  sizes.back() = weight.size(0);
  const auto dst = forms::make_contiguous_result(sizes, input.options());
  kernel->run(
      {{DNNL_ARG_SRC, src.data},
       {DNNL_ARG_WEIGHTS, weights.data},
       {DNNL_ARG_BIAS, has_bias ? read_bytes(shift) : nullptr},
       {DNNL_ARG_DST, dst.data}});
  return dst.tensor;
}

} // namespace ipex::ops
