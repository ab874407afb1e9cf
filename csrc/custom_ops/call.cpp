// Devices of a custom operator's tensors.
#include "custom_ops/call.h"

#include "aten/twin.h"
#include "core/check.h"
#include "custom_ops/resident.h"

namespace ipex::custom_ops {

namespace {

bool all_on_cpu(std::string_view op, std::initializer_list<const at::Tensor*> tensors) {
  const at::Tensor* first = nullptr;
  for (const at::Tensor* tensor : tensors) {
    if (!tensor->defined())
      continue;
    if (first == nullptr)
      first = tensor;
    IPEX_CHECK(
        tensor->device() == first->device(),
        E102,
        op,
        "got tensors on ",
        first->device(),
        " and ",
        tensor->device(),
        "; accepted: all on cpu, or all on ipex");
  }
  return first == nullptr || first->device().is_cpu();
}

} // namespace

Call::Call(std::string_view op, std::initializer_list<const at::Tensor*> tensors)
    : on_cpu_(all_on_cpu(op, tensors)),
      without_autocast_(c10::autocast_dispatch_keyset) {
  if (!on_cpu_)
    return;
  if (amp::ever_on())
    without_amp_.emplace();
  if (int8::may_run())
    run_ = int8::exchange_run(nullptr);
  undisturbed_.emplace();
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
  return weight.scalar_type() == at::kFloat && at::isReducedFloatingType(source.scalar_type()) ? source.scalar_type()
                                                                                               : weight.scalar_type();
}

at::Tensor Call::weight(const at::Tensor& tensor, const at::Tensor& source) const {
  const at::ScalarType dtype = weight_dtype(tensor, source);
  return on_cpu_ ? resident(tensor, dtype) : tensor.to(dtype);
}

std::optional<at::Tensor> Call::bias(const std::optional<at::Tensor>& tensor, const at::Tensor& source) const {
  auto found = read(tensor);
  if (found && source.scalar_type() == at::kHalf) // our kernels add float32 to bfloat16; those for half are PyTorch's
    found = found->to(at::kHalf);
  return found;
}

at::Tensor Call::result(at::Tensor made, std::optional<at::MemoryFormat> format) const {
  if (!on_cpu_)
    return made;
  if (format && !made.is_contiguous(*format))
    made = made.contiguous(*format);
  return as_cpu(made);
}

} // namespace ipex::custom_ops
