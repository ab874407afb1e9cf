// One encoder layer in inference: x + attention(norm(x)) and then x + ffn(norm(x)) with norm_first, otherwise
// norm(x + attention(x)) and norm(x + ffn(x)); ffn(x) = W_2 activation(W_1 x + b_1) + b_2.
//
//   schema  aten::_transformer_encoder_layer_fwd(Tensor src, int embed_dim, int num_heads, Tensor qkv_weight, Tensor
//           qkv_bias, Tensor proj_weight, Tensor proj_bias, bool use_gelu, bool norm_first, float eps, Tensor
//           norm_weight_1, Tensor norm_bias_1, Tensor norm_weight_2, Tensor norm_bias_2, Tensor ffn_weight_1, Tensor
//           ffn_bias_1, Tensor ffn_weight_2, Tensor ffn_bias_2, Tensor? mask=None, int? mask_type=None) -> Tensor
//   src     [B, T, D], any strides; f32
//   mask    as _native_multi_head_attention takes it
//   dst     [B, T, D] contiguous
//   else    CPU fallback: other dtypes, no elements, no AVX2
//   errors  RuntimeError when sizes do not fit
//   source  Vaswani et al., "Attention is all you need", 2017
#include <ATen/ops/_native_multi_head_attention.h>
#include <ATen/ops/add.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>

#include "aten/fallback.h"
#include "forms/operand.h"
#include "ops/kernels.h"
#include "ops/simd.h"

namespace ipex::ops {

at::Tensor _transformer_encoder_layer_fwd(
    const at::Tensor& src,
    int64_t embed_dim,
    int64_t num_heads,
    const at::Tensor& qkv_weight,
    const at::Tensor& qkv_bias,
    const at::Tensor& proj_weight,
    const at::Tensor& proj_bias,
    bool use_gelu,
    bool norm_first,
    double eps,
    const at::Tensor& norm_weight_1,
    const at::Tensor& norm_bias_1,
    const at::Tensor& norm_weight_2,
    const at::Tensor& norm_bias_2,
    const at::Tensor& ffn_weight_1,
    const at::Tensor& ffn_bias_1,
    const at::Tensor& ffn_weight_2,
    const at::Tensor& ffn_bias_2,
    const std::optional<at::Tensor>& mask,
    std::optional<int64_t> mask_type) {
  if (simd_kernels() == nullptr || !forms::readable(src) || src.scalar_type() != at::kFloat || src.dim() != 3 ||
      src.numel() == 0 || src.size(2) != embed_dim)
    return fallback<at::_ops::_transformer_encoder_layer_fwd>(
        src,
        embed_dim,
        num_heads,
        qkv_weight,
        qkv_bias,
        proj_weight,
        proj_bias,
        use_gelu,
        norm_first,
        eps,
        norm_weight_1,
        norm_bias_1,
        norm_weight_2,
        norm_bias_2,
        ffn_weight_1,
        ffn_bias_1,
        ffn_weight_2,
        ffn_bias_2,
        mask,
        mask_type);

  const auto attention = [&](const at::Tensor& x) {
    return std::get<0>(at::_native_multi_head_attention(
        x,
        x,
        x,
        embed_dim,
        num_heads,
        qkv_weight,
        qkv_bias,
        proj_weight,
        proj_bias,
        mask,
        /*need_weights=*/false,
        /*average_attn_weights=*/false,
        mask_type));
  };
  const auto ffn = [&](const at::Tensor& x) {
    const at::Tensor hidden = at::linear(x, ffn_weight_1, ffn_bias_1);
    return at::linear(use_gelu ? at::gelu(hidden) : at::relu(hidden), ffn_weight_2, ffn_bias_2);
  };
  const auto norm_1 = [&](const at::Tensor& x) {
    return at::layer_norm(x, {embed_dim}, norm_weight_1, norm_bias_1, eps);
  };
  const auto norm_2 = [&](const at::Tensor& x) {
    return at::layer_norm(x, {embed_dim}, norm_weight_2, norm_bias_2, eps);
  };
  if (norm_first) {
    const at::Tensor x = at::add(attention(norm_1(src)), src);
    return at::add(ffn(norm_2(x)), x);
  }
  const at::Tensor x = norm_1(at::add(attention(src), src));
  return norm_2(at::add(ffn(x), x));
}

} // namespace ipex::ops
