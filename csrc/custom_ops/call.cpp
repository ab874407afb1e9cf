// Devices of a custom operator's tensors.
#include "custom_ops/call.h"

#include "aten/alias.h"
#include "core/check.h"
#include "custom_ops/resident.h"
#include "forms/operand.h"

namespace ipex::custom_ops {

bool check_devices(std::string_view op, c10::ArrayRef<at::Tensor> tensors) {
  const at::Tensor* first = nullptr;
  for (const at::Tensor& tensor : tensors) {
    if (!tensor.defined())
      continue;
    if (first == nullptr)
      first = &tensor;
    IPEX_CHECK(
        tensor.device() == first->device(),
        E102,
        op,
        "got tensors on ",
        first->device(),
        " and ",
        tensor.device(),
        "; accepted: all on cpu, or all on ipex");
  }
  return first == nullptr || first->device().is_cpu();
}

namespace {

// Strides of dimensions of 1 or 0 elements too, which no copy would change.
void set_strides(const at::Tensor& tensor, c10::IntArrayRef strides) {
  if (tensor.strides() != strides)
    tensor.unsafeGetTensorImpl()->set_sizes_and_strides(
        c10::DimVector(tensor.sizes()), strides, tensor.storage_offset());
}

c10::DimVector strides_of(c10::IntArrayRef sizes, at::MemoryFormat format) {
  return format == at::MemoryFormat::Contiguous ? forms::row_major_strides(sizes) : forms::channels_last_strides(sizes);
}

} // namespace

Call::Call(std::string_view op, c10::ArrayRef<at::Tensor> tensors)
    : on_cpu_(check_devices(op, tensors)),
      without_autocast_(c10::autocast_dispatch_keyset) {
  if (!on_cpu_)
    return;
  if (amp::ever_on())
    without_amp_.emplace();
  if (int8::may_run())
    run_ = int8::exchange_run(nullptr);
  undisturbed_.emplace();
  fallback_is_meant_.emplace();
}

Call::~Call() {
  if (run_)
    int8::exchange_run(std::move(run_));
}

at::Tensor Call::read(const at::Tensor& tensor) const {
  return on_cpu_ && tensor.defined() ? borrow_cpu(tensor) : tensor;
}

std::optional<at::Tensor> Call::read(const std::optional<at::Tensor>& tensor) const {
  return tensor && tensor->defined() ? std::optional(read(*tensor)) : std::nullopt;
}

at::ScalarType weight_dtype(const at::Tensor& weight, const at::Tensor& source) {
  const bool is_lowered = at::isReducedFloatingType(source.scalar_type()) &&
      (weight.scalar_type() == at::kFloat || at::isReducedFloatingType(weight.scalar_type()));
  return is_lowered ? source.scalar_type() : weight.scalar_type();
}

at::Tensor Call::weight(const at::Tensor& tensor, const at::Tensor& source) const {
  const at::ScalarType dtype = weight_dtype(tensor, source);
  return on_cpu_ ? resident(tensor, dtype) : tensor.to(dtype);
}

std::optional<at::Tensor> Call::bias(const std::optional<at::Tensor>& tensor, const at::Tensor& source) const {
  auto found = read(tensor);
  if (found && !(source.scalar_type() == at::kBFloat16 && found->scalar_type() == at::kFloat))
    found = found->to(weight_dtype(*found, source)); // our kernels add float32 to bfloat16; others do not
  return found;
}

at::Tensor Call::result(at::Tensor made, std::optional<at::MemoryFormat> format) const {
  if (format && !made.is_contiguous(*format))
    made = made.contiguous(*format);
  if (on_cpu_) {
    made = as_cpu(made);
    made.storage().unsafeGetStorageImpl()->set_resizable(true); // nobody else has the memory
  }
  if (format)
    set_strides(made, strides_of(made.sizes(), *format));
  return made;
}

} // namespace ipex::custom_ops
