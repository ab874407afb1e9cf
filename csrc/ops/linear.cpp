// linear(src, weights)[..., o] = bias[o] + sum over i of src[..., i] * weights[o, i]
//
//   schema  aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor
//   src     [..., I], any strides; f32, bf16
//   weights [O, I], any strides, same dtype; kept packed on the storage when they are all of it, in training from the
//           second use after a write on
//   bias    [O], f32 or same dtype, or absent
//   dst     [..., O], contiguous; left open for what follows, when the weights are packed
//   else    CPU fallback: other dtypes, no elements, shapes that do not fit
//   errors  RuntimeError when shapes do not fit
//   source  oneDNN developer guide, "Inner Product" and "Matrix Multiplication"; our own loop for few numbers
#include "aten/fallback.h"
#include "onednn/engine.h"
#include "ops/bias.h"
#include "ops/kernels.h"
#include "ops/open_product.h"
#include "ops/product.h"
#include "ops/quantized_linear.h"

namespace ipex::ops {

namespace {

bool fits(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  if (!forms::readable(input) || !forms::readable(weight) || !input.is_floating_point() ||
      input.scalar_type() != weight.scalar_type() || input.numel() == 0 || weight.numel() == 0)
    return false;
  if (input.dim() < 1 || weight.dim() != 2 || input.size(-1) != weight.size(1))
    return false;
  return !bias || !bias->defined() || (bias->dim() == 1 && bias->size(0) == weight.size(0) && takes_bias(*bias, input));
}

} // namespace

at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  if (!fits(input, weight, bias))
    return fallback<at::_ops::linear>(input, weight, bias_for_cpu(bias, weight));
  if (const int8::Turn* turn = int8::turn())
    if (at::Tensor dst = quantized_linear(*turn, input, weight, bias); dst.defined())
      return dst;
  const bool has_bias = bias && bias->defined();
  const int64_t in = weight.size(1), out = weight.size(0), rows = input.numel() / in;
  const at::Tensor given_bias = has_bias ? *bias : at::Tensor();
  c10::DimVector sizes(input.sizes());
  sizes.back() = out;
  auto src = forms::read_as(input, forms::row_major_strides(input.sizes()));
  const auto shift = has_bias ? forms::read_as(*bias, {1}) : forms::Operand();
  src.layout = onednn::Layout::dense(src.layout.dtype, {rows, in});
  const forms::Operand operand = src;
  const bool trains = at::GradMode::is_enabled() && weight.requires_grad();
  auto product = Product::plan(
      std::move(src),
      Weights(weight, /*transposed=*/true, trains ? forms::Reuse::kMaybe : forms::Reuse::kLikely),
      onednn::Layout::dense(onednn::data_type(input.scalar_type()), {rows, out}),
      {},
      bias_of(bias, weight));
  if (!product)
    return fallback<at::_ops::linear>(input, weight, bias_for_cpu(bias, weight));
  if (at::Tensor open = open_product("linear", *product, input, operand, weight, given_bias, shift, sizes);
      open.defined())
    return open;
  const auto dst = forms::make_contiguous_result(sizes, input.options());
  product->run(dst.data, shift.data);
  return dst.tensor;
}

} // namespace ipex::ops
