// to_device(input): a CPU tensor as an ipex tensor; to_host(input): an ipex tensor as a CPU tensor. Without a copy: both
// tensors are over the same memory. A tensor that is there already is copied, since operators return no argument.
//
//   resident(weight, dtype): a weight on CPU for reading on ipex: its bytes, or a copy that is kept (resident.h)
//
// Their fake kernels are in torch_ipex_device/custom_ops.py. For graphs that run on ipex inside of a program of CPU tensors; they have no gradients.
#include <ATen/ATen.h>
#include <torch/library.h>

#include "aten/alias.h"
#include "core/device.h"
#include "custom_ops/resident.h"

namespace ipex::custom_ops {

namespace {

at::Tensor copied(const at::Tensor& input) {
  return input.clone();
}

at::Tensor to_device(const at::Tensor& input) {
  return from_cpu(input);
}

at::Tensor resident_weight(const at::Tensor& weight, std::optional<at::ScalarType> dtype) {
  return resident(weight, dtype.value_or(weight.scalar_type()));
}

at::Tensor resident_on_device(const at::Tensor& weight, std::optional<at::ScalarType> dtype) {
  return weight.to(dtype.value_or(weight.scalar_type()), /*non_blocking=*/false, /*copy=*/true);
}

at::Tensor to_host(const at::Tensor& input) {
  return as_cpu(input);
}

} // namespace

TORCH_LIBRARY_IMPL(torch_ipex, CPU, library) {
  library.impl("resident", TORCH_FN(resident_weight));
  library.impl("to_device", TORCH_FN(to_device));
  library.impl("to_host", TORCH_FN(copied));
}

TORCH_LIBRARY_IMPL(torch_ipex, PrivateUse1, library) {
  library.impl("resident", TORCH_FN(resident_on_device));
  library.impl("to_device", TORCH_FN(copied));
  library.impl("to_host", TORCH_FN(to_host));
}

} // namespace ipex::custom_ops
