// scaled_dot_product_attention(query, key, value), as PyTorch's of this name.
//
//   query, key, value  [N, H, L, E], any strides; any dtype of at::scaled_dot_product_attention
//   result             [N, H, L, E] that lies as [N, L, H, E]
//   errors             E102; E103 when key and value have different numbers of rows
//   gradients          PyTorch's CPU kernels
#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>
#include <torch/library.h>

#include "core/check.h"
#include "custom_ops/call.h"
#include "custom_ops/gradients.h"

namespace ipex::custom_ops {

namespace {

using OptionalTensor = std::optional<at::Tensor>;

constexpr const char* kName = "torch_ipex::scaled_dot_product_attention";

void check_rows(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  IPEX_CHECK(
      query.dim() >= 2 && key.dim() >= 2 && value.dim() >= 2 && key.sym_size(-2) == value.sym_size(-2),
      E103,
      kName,
      "got query ",
      query.sym_sizes(),
      ", key ",
      key.sym_sizes(),
      " and value ",
      value.sym_sizes(),
      "; accepted: matrices, with as many rows of key as of value");
}

at::Tensor swapped(const at::Tensor& tensor) {
  return tensor.dim() == 4 ? tensor.transpose(1, 2) : tensor;
}

at::Tensor attention(
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    const OptionalTensor& attn_mask,
    double dropout_p,
    bool is_causal,
    std::optional<double> scale) {
  const Call call(kName, {query, key, value, defined(attn_mask)});
  check_rows(query, key, value);
  const at::Tensor dst = at::scaled_dot_product_attention(
      call.read(query), call.read(key), call.read(value), call.read(attn_mask), dropout_p, is_causal, scale);
  return swapped(call.result(swapped(dst), at::MemoryFormat::Contiguous));
}

at::Tensor attention_meta(
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    const OptionalTensor&,
    double,
    bool,
    std::optional<double>) {
  check_rows(query, key, value);
  const auto batch = [](const at::Tensor& tensor) { return tensor.sym_sizes().slice(0, tensor.dim() - 2); };
  auto sizes = at::infer_size_symint(at::infer_size_symint(batch(query), batch(key)), batch(value));
  sizes.push_back(query.sym_size(-2));
  sizes.push_back(value.sym_size(-1));
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
  if (needs_gradients({&query, &key, &value}, {&attn_mask}) || has_tangent(query) || has_tangent(key) ||
      has_tangent(value))
    return swapped(swapped(at::scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, scale))
                       .contiguous());
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
