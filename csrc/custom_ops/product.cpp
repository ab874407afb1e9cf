// product(left, right) = left @ right, two matrices, neither of which is a weight: no copy of them is kept.
//
//   left       [M, K], any strides; any dtype of at::mm, native in f32 and bf16
//   right      [K, N], same dtype
//   result     [M, N], contiguous
//   gradients  those of at::mm
#include <ATen/ATen.h>
#include <torch/library.h>

#include "custom_ops/call.h"
#include "custom_ops/gradients.h"

namespace ipex::custom_ops {

namespace {

at::Tensor product(const at::Tensor& left, const at::Tensor& right) {
  const Call call("torch_ipex::product", {left, right});
  return call.result(at::mm(call.read(left), call.read(right)), at::MemoryFormat::Contiguous);
}

at::Tensor product_meta(const at::Tensor& left, const at::Tensor& right) {
  return at::empty_symint(at::mm(left, right).sym_sizes(), left.options());
}

at::Tensor product_autograd(c10::DispatchKeySet keys, const at::Tensor& left, const at::Tensor& right) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("torch_ipex::product", "").typed<decltype(product)>();
  if (needs_gradients({&left, &right}) || has_tangent(left) || has_tangent(right))
    return at::mm(left, right);
  return op.redispatch(keys & c10::after_autograd_keyset, left, right);
}

} // namespace

IPEX_IMPLEMENT_BELOW_AUTOCAST("product", product, product_meta, product_autograd)

} // namespace ipex::custom_ops
