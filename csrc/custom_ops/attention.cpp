// scaled_dot_product_attention(query, key, value), as PyTorch's of this name.
//
//   query, key, value  [N, H, L, E], any strides; any dtype of at::scaled_dot_product_attention
//   result             [N, H, L, E] that lies as [N, L, H, E]
//   gradients          PyTorch's CPU kernels
#include <ATen/ATen.h>
#include <torch/library.h>

#include "custom_ops/call.h"
#include "custom_ops/gradients.h"

namespace ipex::custom_ops {

namespace {

using OptionalTensor = std::optional<at::Tensor>;

constexpr const char* kName = "torch_ipex::scaled_dot_product_attention";

at::Tensor laid_out(const at::Tensor& dst) {
  return dst.dim() == 4 ? dst.transpose(1, 2).contiguous().transpose(1, 2) : dst.contiguous();
}

at::Tensor attention(
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    const OptionalTensor& attn_mask,
    double dropout_p,
    bool is_causal,
    std::optional<double> scale) {
  const at::Tensor mask = attn_mask ? *attn_mask : at::Tensor();
  const Call call(kName, {&query, &key, &value, &mask});
  const at::Tensor dst = at::scaled_dot_product_attention(
      call.read(query), call.read(key), call.read(value), call.read(attn_mask), dropout_p, is_causal, scale);
  return call.result(laid_out(dst));
}

at::Tensor attention_meta(
    const at::Tensor& query,
    const at::Tensor&,
    const at::Tensor& value,
    const OptionalTensor&,
    double,
    bool,
    std::optional<double>) {
  auto sizes = query.sym_sizes().vec();
  sizes.back() = value.sym_size(-1);
  if (sizes.size() != 4)
    return at::empty_symint(sizes, query.options());
  std::swap(sizes[1], sizes[2]);
  return at::empty_symint(sizes, query.options()).transpose(1, 2);
}

at::Tensor attention_autograd(
    c10::DispatchKeySet keys,
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    const OptionalTensor& attn_mask,
    double dropout_p,
    bool is_causal,
    std::optional<double> scale) {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(kName, "").typed<decltype(attention)>();
  if (needs_gradients({&query, &key, &value}, {&attn_mask}))
    return laid_out(at::scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, scale));
  return op.redispatch(keys & c10::after_autograd_keyset, query, key, value, attn_mask, dropout_p, is_causal, scale);
}

at::Tensor attention_autocast(
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    const OptionalTensor& attn_mask,
    double dropout_p,
    bool is_causal,
    std::optional<double> scale) {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(kName, "").typed<decltype(attention)>();
  const Lowered lowered(query);
  const bool is_number = attn_mask && attn_mask->defined() && attn_mask->is_floating_point();
  return op.call(
      lowered(query),
      lowered(key),
      lowered(value),
      is_number ? lowered(attn_mask) : attn_mask,
      dropout_p,
      is_causal,
      scale);
}

} // namespace

IPEX_IMPLEMENT("scaled_dot_product_attention", attention, attention_meta, attention_autograd, attention_autocast)

} // namespace ipex::custom_ops
