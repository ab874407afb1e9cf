// Holds the storage and a pin of it for as long as the alias lives.
#include "aten/read_alias.h"

#include <ATen/ops/from_blob.h>

#include "aten/on_device.h"
#include "core/check.h"
#include "forms/operand.h"

namespace ipex {

namespace {

struct Held {
  c10::Storage storage;
  forms::Pin pin;
};

} // namespace

at::Tensor read_alias(const at::Tensor& tensor) {
  if (!on_device(tensor))
    return tensor;
  IPEX_CHECK(
      tensor.layout() == at::kStrided && !tensor.is_nested() && !tensor.is_quantized() && !tensor.is_conj() &&
          !tensor.is_neg(),
      E104,
      "read_alias",
      "got a tensor that is sparse, nested, quantized, or conjugated or negated by a bit; accepted: a strided tensor");
  auto bytes = forms::read_pinned(*tensor.storage().unsafeGetStorageImpl());
  auto* first = static_cast<char*>(const_cast<void*>(bytes.data)) + tensor.storage_offset() * tensor.itemsize();
  auto* held = new Held{tensor.storage(), std::move(bytes.pin)};
  return at::for_blob(first, tensor.sizes())
      .strides(tensor.strides())
      .context(held, [](void* context) { delete static_cast<Held*>(context); })
      .options(tensor.options().device(at::kCPU))
      .make_tensor();
}

} // namespace ipex
