// softmax(scale * query key^T + attn_mask) value per batch and head, and the logarithm of the sum of each row's
// exponentials. With is_causal, query i sees keys 0 to i.
//
//   schema  aten::_scaled_dot_product_flash_attention_for_cpu(Tensor query, Tensor key, Tensor value, float
//           dropout_p=0., bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None) -> (Tensor output,
//           Tensor logsumexp)
//   src     query [B, H, S, D], key and value [B, H, L, D], any strides; f32, bf16; computed in f32
//   mask    floating point, [S or 1, L or 1] or [B or 1, H or 1, S or 1, L or 1]; absent
//   dst     [B, H, S, D], dimensions in the order of query; logsumexp f32 [B, H, S], dense as [B, S, H]
//   else    CPU fallback: other dtypes and sizes, no elements, dropout, no AVX2; a NaN in values that causality hides
//           reaches fewer queries than on the CPU
//   errors  RuntimeError when sizes or dtypes do not fit
//   source  Rabe and Staats, "Self-attention does not need O(n^2) memory", 2021
#include <ATen/ExpandUtils.h>

#include "aten/fallback.h"
#include "forms/operand.h"
#include "ops/attention_call.h"
#include "ops/kernels.h"

namespace ipex::ops {

std::tuple<at::Tensor, at::Tensor> _scaled_dot_product_flash_attention_for_cpu(
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    double dropout_p,
    bool is_causal,
    const std::optional<at::Tensor>& attn_mask,
    std::optional<double> scale) {
  auto call = dropout_p == 0 ? attention_call(query, key, value, attn_mask, scale) : std::nullopt;
  if (!call)
    return fallback<at::_ops::_scaled_dot_product_flash_attention_for_cpu>(
        query, key, value, dropout_p, is_causal, attn_mask, scale);

  c10::DimVector strides(query.strides());
  if (!query.is_non_overlapping_and_dense())
    strides = c10::DimVector(at::infer_dense_strides(query.sizes(), query.strides()));
  const auto dst = forms::make_result(query.sizes(), strides, strides, query.options());
  const int64_t heads = query.size(1), queries = query.size(2);
  const c10::DimVector statistics{heads * queries, 1, heads};
  const auto logsumexp =
      forms::make_result(query.sizes().slice(0, 3), statistics, statistics, query.options().dtype(at::kFloat));
  call->spec.causal = is_causal;
  call->spec.dst = heads_of(dst.data, strides);
  call->spec.logsumexp = static_cast<float*>(logsumexp.data);
  std::copy(statistics.begin(), statistics.end(), call->spec.logsumexp_strides);
  run_attention(call->spec);
  return {dst.tensor, logsumexp.tensor};
}

} // namespace ipex::ops
