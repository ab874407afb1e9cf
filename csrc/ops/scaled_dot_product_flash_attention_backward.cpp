// Gradients of attention. With p = exp(scale * query key^T + attn_mask - logsumexp):
// diff_value = p^T diff_dst, d = p * (diff_dst value^T - rowsum(diff_dst * dst)) * scale, diff_query = d key,
// diff_key = d^T query.
//
//   schema  aten::_scaled_dot_product_flash_attention_for_cpu_backward(Tensor grad_out, Tensor query, Tensor key,
//           Tensor value, Tensor out, Tensor logsumexp, float dropout_p, bool is_causal, *, Tensor? attn_mask=None,
//           float? scale=None) -> (Tensor grad_query, Tensor grad_key, Tensor grad_value)
//   src     as the forward operator; out and logsumexp are its results, grad_out has the size of out; any strides
//   dst     each of the size of its operand, dense as [B, S, H, D]
//   else    CPU fallback: other dtypes and sizes, no elements, dropout, no AVX2
//   errors  RuntimeError when sizes or dtypes do not fit
//   source  Dao et al., "FlashAttention", 2022, appendix B
#include <ATen/Parallel.h>

#include "aten/fallback.h"
#include "core/profile.h"
#include "forms/operand.h"
#include "onednn/scratchpad.h"
#include "ops/attention_call.h"
#include "ops/kernels.h"

namespace ipex::ops {

namespace {

bool fits(const at::Tensor& diff_dst, const at::Tensor& query, const at::Tensor& dst, const at::Tensor& logsumexp) {
  for (const at::Tensor& tensor : {diff_dst, dst})
    if (!forms::readable(tensor) || tensor.scalar_type() != query.scalar_type() || tensor.sizes() != query.sizes())
      return false;
  return forms::readable(logsumexp) && logsumexp.scalar_type() == at::kFloat &&
      logsumexp.sizes() == query.sizes().slice(0, 3);
}

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> _scaled_dot_product_flash_attention_for_cpu_backward(
    const at::Tensor& grad_out,
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    const at::Tensor& out,
    const at::Tensor& logsumexp,
    double dropout_p,
    bool is_causal,
    const std::optional<at::Tensor>& attn_mask,
    std::optional<double> scale) {
  auto call = dropout_p == 0 ? attention_call(query, key, value, attn_mask, scale) : std::nullopt;
  if (!call || !fits(grad_out, query, out, logsumexp))
    return fallback<at::_ops::_scaled_dot_product_flash_attention_for_cpu_backward>(
        grad_out, query, key, value, out, logsumexp, dropout_p, is_causal, attn_mask, scale);

  const auto make = [](const at::Tensor& like) {
    const auto strides = token_major_strides(like.sizes());
    return forms::make_result(like.sizes(), strides, strides, like.options());
  };
  const auto diff_query = make(query), diff_key = make(key), diff_value = make(value);
  const auto diff_dst = forms::read(grad_out), dst = forms::read(out), statistics = forms::read(logsumexp);
  simd::AttentionBackward spec{};
  spec.forward = call->spec;
  spec.forward.causal = is_causal;
  spec.forward.dst = heads_of(dst.data, dst.strides());
  spec.forward.logsumexp = static_cast<float*>(const_cast<void*>(statistics.data));
  std::copy(statistics.strides().begin(), statistics.strides().end(), spec.forward.logsumexp_strides);
  spec.diff_dst = heads_of(diff_dst.data, diff_dst.strides());
  spec.diff_q = heads_of(diff_query.data, diff_query.layout.strides_ref());
  spec.diff_k = heads_of(diff_key.data, diff_key.layout.strides_ref());
  spec.diff_v = heads_of(diff_value.data, diff_value.layout.strides_ref());
  const simd::Kernels& kernels = *simd_kernels();
  const profile::Kernel profiled("attention_backward");
  at::parallel_for(0, query.size(0) * query.size(1), 1, [&](int64_t begin, int64_t end) {
    kernels.attention_backward(
        spec, begin, end, static_cast<float*>(onednn::scratchpad(kernels.attention_backward_scratch(spec))));
  });
  return {diff_query.tensor, diff_key.tensor, diff_value.tensor};
}

} // namespace ipex::ops
