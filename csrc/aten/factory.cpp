// Creation of ipex tensors, and resizing and re-seating of their storages.
#include <ATen/EmptyTensor.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/set_native.h>

#include "core/device.h"
#include "device/allocator.h"
#include "forms/form.h"
#include "forms/storage.h"

namespace ipex {

namespace {

using at::Tensor;

constexpr c10::DispatchKeySet kDenseKeys(c10::DispatchKey::PrivateUse1);

void check_options(
    const char* op,
    std::optional<at::Layout> layout,
    std::optional<at::Device> device,
    std::optional<bool> pin_memory) {
  check_device(device, op);
  IPEX_CHECK(!layout || *layout == at::kStrided, E104, op, "got layout ", *layout, "; accepted here: torch.strided");
  IPEX_CHECK(
      !pin_memory.value_or(false), E203, op, "only CPU tensors can be pinned; drop pin_memory=True or the device");
}

// A tensor that a user makes may become a weight.
void watch_large(const Tensor& made) {
  if (made.is_floating_point())
    forms::Form::watch_from_birth(*made.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl());
}

Tensor empty_memory_format(
    c10::IntArrayRef size,
    std::optional<at::ScalarType> dtype,
    std::optional<at::Layout> layout,
    std::optional<at::Device> device,
    std::optional<bool> pin_memory,
    std::optional<at::MemoryFormat> memory_format) {
  check_options("empty", layout, device, pin_memory);
  Tensor made =
      at::detail::empty_generic(size, &device_allocator(), kDenseKeys, c10::dtype_or_default(dtype), memory_format);
  if (C10_UNLIKELY(
          at::globalContext().deterministicAlgorithms() && at::globalContext().deterministicFillUninitializedMemory()))
    at::native::fill_empty_deterministic_(made);
  watch_large(made);
  return made;
}

Tensor empty_strided(
    c10::IntArrayRef size,
    c10::IntArrayRef stride,
    std::optional<at::ScalarType> dtype,
    std::optional<at::Layout> layout,
    std::optional<at::Device> device,
    std::optional<bool> pin_memory) {
  check_options("empty_strided", layout, device, pin_memory);
  Tensor made =
      at::detail::empty_strided_generic(size, stride, &device_allocator(), kDenseKeys, c10::dtype_or_default(dtype));
  if (C10_UNLIKELY(
          at::globalContext().deterministicAlgorithms() && at::globalContext().deterministicFillUninitializedMemory()))
    at::native::fill_empty_deterministic_(made);
  watch_large(made);
  return made;
}

const Tensor& resize_(const Tensor& self, c10::IntArrayRef size, std::optional<at::MemoryFormat> memory_format) {
  write_bytes(*self.storage().unsafeGetStorageImpl()); // growing copies the bytes, so they must be plain
  const c10::DimVector sizes(self.sizes()), strides(self.strides());
  try {
    return at::native::resize_(self, size, memory_format);
  } catch (...) { // PyTorch sets the sizes before it asks for the memory: they would reach beyond it
    self.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides);
    throw;
  }
}

void check_storage(const char* op, const Tensor& self, const at::Storage& source) {
  IPEX_CHECK(
      source.device_type() == kDeviceType,
      E102,
      op,
      "Expected all tensors to be on the same device: self is on ",
      self.device(),
      ", source is on ",
      source.device());
}

Tensor& set_storage_offset(
    Tensor& self,
    at::Storage source,
    int64_t storage_offset,
    c10::IntArrayRef size,
    c10::IntArrayRef stride) {
  check_storage("set_", self, source);
  return at::native::set_storage_cpu_(self, std::move(source), storage_offset, size, stride);
}

Tensor& set_storage(Tensor& self, at::Storage source) {
  check_storage("set_", self, source);
  const auto elements = static_cast<int64_t>(source.nbytes() / self.dtype().itemsize());
  return at::native::set_storage_cpu_(self, std::move(source), 0, {elements}, {});
}

Tensor& set_tensor(Tensor& self, const Tensor& source) {
  check_storage("set_", self, source.storage());
  return at::native::set_tensor_(self, source);
}

Tensor& set_empty(Tensor& self) {
  at::Storage storage(
      at::Storage::use_byte_size_t(), 0, device_allocator().allocate(0), &device_allocator(), /*resizable=*/true);
  return at::native::set_storage_cpu_(self, std::move(storage), 0, {0}, {});
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", TORCH_FN(empty_memory_format));
  m.impl("empty_strided", TORCH_FN(empty_strided));
  m.impl("resize_", TORCH_FN(resize_));
  m.impl("set_", TORCH_FN(set_empty));
  m.impl("set_.source_Storage", TORCH_FN(set_storage));
  m.impl("set_.source_Storage_storage_offset", TORCH_FN(set_storage_offset));
  m.impl("set_.source_Tensor", TORCH_FN(set_tensor));
}

} // namespace

} // namespace ipex
