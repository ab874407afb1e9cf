// Self-attention with its projections: attention(q, k, v) W_o^T + b_o for [q, k, v] = query W_qkv^T + b_qkv.
//
//   schema  aten::_native_multi_head_attention(Tensor query, Tensor key, Tensor value, int embed_dim, int num_head,
//           Tensor qkv_weight, Tensor qkv_bias, Tensor proj_weight, Tensor proj_bias, Tensor? mask=None, bool
//           need_weights=True, bool average_attn_weights=True, int? mask_type=None) -> (Tensor, Tensor)
//   src     query, key and value one and the same tensor [B, T, D], any strides; f32
//   mask    boolean, true where a key is hidden: [T, T] with mask_type 0, [B, T] with 1, [B, H, T, T] with 2; absent
//   dst     [B, T, D] contiguous, and the attention's weights [B, T, T] averaged over heads or [B, H, T, T]
//   else    CPU fallback: different query, key and value, other dtypes and masks, no elements, no AVX2
//   errors  RuntimeError when sizes do not fit
//   source  Vaswani et al., "Attention is all you need", 2017
#include <ATen/ops/linear.h>

#include <cmath>
#include <limits>

#include "aten/fallback.h"
#include "forms/narrow.h"
#include "forms/operand.h"
#include "forms/storage.h"
#include "ops/attention_call.h"
#include "ops/kernels.h"

namespace ipex::ops {

namespace {

bool is_vector(const at::Tensor& tensor, int64_t size) {
  return tensor.defined() && tensor.scalar_type() == at::kFloat && tensor.dim() == 1 && tensor.size(0) == size;
}

bool is_matrix(const at::Tensor& tensor, int64_t rows, int64_t columns) {
  return tensor.defined() && tensor.scalar_type() == at::kFloat && tensor.dim() == 2 && tensor.size(0) == rows &&
      tensor.size(1) == columns;
}

// The sizes that a mask of this type has, with ones where it is broadcast; nothing for other masks.
std::optional<std::array<int64_t, 4>> mask_sizes(
    const at::Tensor& mask,
    std::optional<int64_t> type,
    int64_t batch,
    int64_t heads,
    int64_t tokens) {
  if (!type || mask.scalar_type() != at::kBool || mask.layout() != at::kStrided)
    return std::nullopt;
  if (*type == 0 && mask.sizes() == at::IntArrayRef{tokens, tokens})
    return std::array<int64_t, 4>{1, 1, tokens, tokens};
  if (*type == 1 && mask.sizes() == at::IntArrayRef{batch, tokens})
    return std::array<int64_t, 4>{batch, 1, 1, tokens};
  if (*type == 2 && mask.sizes() == at::IntArrayRef{batch, heads, tokens, tokens})
    return std::array<int64_t, 4>{batch, heads, tokens, tokens};
  return std::nullopt;
}

// Minus infinity where `mask` is true, for adding to the scores.
at::Tensor additive(const at::Tensor& mask, at::IntArrayRef sizes) {
  const at::Tensor flags = mask.contiguous();
  auto result = forms::make_contiguous_result(sizes, mask.options().dtype(at::kFloat));
  const auto* from = static_cast<const bool*>(read_bytes(flags));
  auto* to = static_cast<float*>(result.data);
  for (int64_t i = 0; i < flags.numel(); ++i)
    to[i] = from[i] ? -std::numeric_limits<float>::infinity() : 0;
  return result.tensor;
}

} // namespace

std::tuple<at::Tensor, at::Tensor> _native_multi_head_attention(
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    int64_t embed_dim,
    int64_t num_head,
    const at::Tensor& qkv_weight,
    const at::Tensor& qkv_bias,
    const at::Tensor& proj_weight,
    const at::Tensor& proj_bias,
    const std::optional<at::Tensor>& mask,
    bool need_weights,
    bool average_attn_weights,
    std::optional<int64_t> mask_type) {
  const auto decline = [&] {
    return fallback<at::_ops::_native_multi_head_attention>(
        query,
        key,
        value,
        embed_dim,
        num_head,
        qkv_weight,
        qkv_bias,
        proj_weight,
        proj_bias,
        mask,
        need_weights,
        average_attn_weights,
        mask_type);
  };
  if (simd_kernels() == nullptr || !query.is_same(key) || !key.is_same(value) || !forms::readable(query) ||
      query.scalar_type() != at::kFloat || query.dim() != 3 || query.numel() == 0 || query.size(2) != embed_dim ||
      num_head < 1 || embed_dim % num_head != 0 || !is_matrix(qkv_weight, 3 * embed_dim, embed_dim) ||
      !is_vector(qkv_bias, 3 * embed_dim) || !is_matrix(proj_weight, embed_dim, embed_dim) ||
      !is_vector(proj_bias, embed_dim))
    return decline();
  const int64_t batch = query.size(0), tokens = query.size(1), size = embed_dim / num_head;
  const bool has_mask = mask && mask->defined();
  const auto sizes = has_mask ? mask_sizes(*mask, mask_type, batch, num_head, tokens) : std::nullopt;
  if (has_mask && !sizes)
    return decline();

  const at::Tensor qkv = at::linear(query, qkv_weight, qkv_bias).view({batch, tokens, 3, num_head, size});
  // In mixed precision the projection's values are bfloat16, and so are those of attention.
  const bool is_narrow = forms::is_narrow(qkv) && !need_weights;
  const at::Tensor projected = is_narrow ? forms::narrow(qkv) : qkv;
  const auto heads = [&](int64_t index) { return projected.select(2, index).transpose(1, 2); };
  const auto hidden = has_mask ? std::optional(additive(*mask, *sizes)) : std::nullopt;
  auto call = attention_call(heads(0), heads(1), heads(2), hidden, std::nullopt);
  TORCH_INTERNAL_ASSERT(call);
  const auto dst = forms::make_contiguous_result({batch, tokens, embed_dim}, projected.options());
  call->spec.dst = heads_of(dst.data, token_major_strides({batch, num_head, tokens, size}));
  call->spec.nan_when_hidden = true;
  at::Tensor weights;
  if (need_weights) {
    const auto result = forms::make_contiguous_result({batch, num_head, tokens, tokens}, query.options());
    call->spec.weights = static_cast<float*>(result.data);
    weights = result.tensor;
  }
  run_attention(call->spec);
  if (need_weights && average_attn_weights)
    weights = weights.mean(1);
  const at::Tensor made = is_narrow ? forms::shown_wide(dst.tensor) : dst.tensor;
  return {at::linear(made, proj_weight, proj_bias), weights};
}

} // namespace ipex::ops
