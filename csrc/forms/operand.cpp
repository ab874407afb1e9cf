// Reading tensors in the form that their storage is in, and making results in a physical form.
#include "forms/operand.h"

#include <ATen/EmptyTensor.h>
#include <c10/core/impl/COW.h>

#include "core/device.h"
#include "forms/form.h"
#include "forms/reorder.h"
#include "forms/storage.h"
#include "forms/translate.h"
#include "onednn/engine.h"

namespace ipex::forms {

namespace {

const void* element(const void* base, int64_t offset, const at::Tensor& tensor) {
  return static_cast<const char*>(base) + offset * static_cast<int64_t>(tensor.itemsize());
}

// Where `tensor` lies in the physical bytes, if these are what to read.
std::optional<Operand> read_physical(const at::Tensor& tensor, Form& form) {
  if (!form.physical)
    return std::nullopt;
  const Physical& physical = *form.physical;
  if (tensor.dtype() != c10::scalarTypeToTypeMeta(onednn::scalar_type(physical.plain.dtype)))
    return std::nullopt;
  const auto place =
      translate(physical.plain, physical.layout, tensor.sizes(), tensor.strides(), tensor.storage_offset());
  if (!place)
    return std::nullopt;
  Operand operand{element(physical.data, place->offset, tensor), place->layout, {}, {}};
  if (operand.layout.rank == 0)
    operand.layout = onednn::Layout::dense(operand.layout.dtype, {1});
  return operand;
}

c10::Allocator* allocator() {
  static c10::Allocator* instance = c10::GetAllocator(kDeviceType);
  return instance;
}

} // namespace

const void* read_watched_bytes(c10::StorageImpl& storage) {
  auto& data = storage._mutable_data_ptr_no_checks();
  if (c10::impl::cow::is_cow_data_ptr(data))
    return data.get();
  Form* form = Form::of(storage);
  if (form == nullptr)
    return storage.mutable_data(); // another library's materializer: what it guards is not plain yet
  const Form::Lock lock(*form);
  form->make_plain(storage);
  form->releasable = false; // nobody will say when the pointer is no longer used
  return data.get();
}

void* write_watched_bytes(c10::StorageImpl& storage) {
  Form* form = c10::impl::cow::is_cow_data_ptr(storage._mutable_data_ptr_no_checks()) ? nullptr : Form::of(storage);
  if (form == nullptr)
    return storage.mutable_data();
  form->close_dependents();
  const Form::Lock lock(*form);
  form->make_plain(storage);
  form->drop_copies();
  form->computed_narrow = false;
  form->releasable = false; // nobody will say when the pointer is no longer used
  return storage._mutable_data_ptr_no_checks().get();
}

namespace {

PinnedBytes pinned(c10::StorageImpl& storage, bool written) {
  if (C10_LIKELY(!storage.has_materializer()))
    return {storage.mutable_data(), Pin()};
  Form* form = Form::of(storage);
  if (form == nullptr)
    return {written ? storage.mutable_data() : read_watched_bytes(storage), Pin()};
  if (written)
    form->close_dependents();
  const Form::Lock lock(*form);
  form->make_plain(storage);
  if (written) {
    form->drop_copies();
    form->computed_narrow = false;
  }
  return {storage._mutable_data_ptr_no_checks().get(), Pin(form)};
}

} // namespace

PinnedBytes read_pinned(c10::StorageImpl& storage) {
  return pinned(storage, false);
}

PinnedBytes write_pinned(c10::StorageImpl& storage) {
  return pinned(storage, true);
}

bool readable(const at::Tensor& tensor) {
  return tensor.defined() && tensor.layout() == at::kStrided && !tensor.is_nested() &&
      tensor.dim() <= onednn::Layout::kMaxRank && onednn::supports(tensor.scalar_type()) && !tensor.is_conj() &&
      !tensor.is_neg();
}

onednn::Layout plain_layout(const at::Tensor& tensor) {
  return onednn::Layout::strided(onednn::data_type(tensor.scalar_type()), tensor.sizes(), tensor.strides());
}

Operand read(const at::Tensor& tensor) {
  c10::StorageImpl& storage = *tensor.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl();
  if (C10_UNLIKELY(storage.has_materializer())) {
    if (Form* form = Form::of(storage)) {
      const Form::Lock lock(*form);
      form->close(storage);
      form->widen(storage);
      if (auto operand = read_physical(tensor, *form))
        return std::move(*operand);
      form->make_plain(storage);
      return {
          element(storage._mutable_data_ptr_no_checks().get(), tensor.storage_offset(), tensor),
          plain_layout(tensor),
          {},
          Pin(form)};
    }
  }
  return {element(read_bytes(storage), tensor.storage_offset(), tensor), plain_layout(tensor), {}, {}};
}

Operand read_as(const at::Tensor& tensor, c10::IntArrayRef strides) {
  Operand operand = read(tensor);
  return same_order(operand.sizes(), operand.strides(), strides) ? operand : copy(operand, strides);
}

Operand copy(const Operand& operand, c10::IntArrayRef strides) {
  const auto wanted = onednn::Layout::strided(operand.layout.dtype, operand.sizes(), strides);
  at::Tensor made = at::detail::empty_generic(
      {wanted.elements()},
      allocator(),
      c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
      onednn::scalar_type(wanted.dtype),
      {});
  void* data = made.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl()->mutable_data();
  reorder(operand.layout, operand.data, wanted, data);
  Operand copied{data, wanted, std::move(made), {}};
  copied.scale = operand.scale;
  return copied;
}

Result update(const at::Tensor& tensor) {
  c10::StorageImpl& storage = *tensor.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl();
  if (C10_UNLIKELY(storage.has_materializer())) {
    if (Form* form = Form::of(storage)) {
      form->close_dependents();
      const Form::Lock lock(*form);
      form->close(storage);
      form->widen(storage);
      if (!form->plain) {
        if (auto operand = read_physical(tensor, *form)) {
          form->drop_copies();
          form->computed_narrow = false;
          return {tensor, const_cast<void*>(operand->data), operand->layout, {}};
        }
      }
    }
  }
  auto bytes = write_pinned(storage);
  void* first = const_cast<void*>(element(bytes.data, tensor.storage_offset(), tensor));
  return {tensor, first, plain_layout(tensor), std::move(bytes.pin)};
}

Result make_result(
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    c10::IntArrayRef physical,
    const at::TensorOptions& options) {
  const auto dtype = c10::typeMetaToScalarType(options.dtype());
  at::Tensor tensor = at::detail::empty_strided_generic(
      sizes, strides, allocator(), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), dtype);
  Result result = wrap_fresh(tensor);
  if (tensor.numel() == 0)
    return result;
  if (same_order(sizes, strides, physical)) {
    Form::watch_from_birth(*tensor.storage().unsafeGetStorageImpl());
    return result;
  }
  const onednn::Layout plain = result.layout;
  result.layout = onednn::Layout::strided(plain.dtype, sizes, physical);
  Form::install(*tensor.storage().unsafeGetStorageImpl(), plain, result.layout);
  return result;
}

Result make_contiguous_result(c10::IntArrayRef sizes, const at::TensorOptions& options) {
  const Result result = wrap_fresh(
      at::detail::empty_generic(
          sizes,
          allocator(),
          c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
          c10::typeMetaToScalarType(options.dtype()),
          {}));
  Form::watch_from_birth(*result.tensor.storage().unsafeGetStorageImpl());
  return result;
}

at::Tensor with_order(const at::Tensor& tensor, c10::ArrayRef<int64_t> order) {
  IPEX_CHECK(
      readable(tensor) && tensor.device().type() == kDeviceType && tensor.is_non_overlapping_and_dense() &&
          order.size() == static_cast<size_t>(tensor.dim()),
      E103,
      "with_order",
      "accepted: a dense tensor on ipex and one number per dimension");
  c10::DimVector physical(order.size());
  int64_t stride = 1;
  for (size_t i = order.size(); i-- > 0;) {
    IPEX_CHECK(order[i] >= 0 && order[i] < tensor.dim(), E103, "with_order", "got dimension ", order[i]);
    physical[order[i]] = stride;
    stride *= tensor.size(order[i]);
  }
  const Operand src = read(tensor);
  const Result dst = make_result(tensor.sizes(), tensor.strides(), physical, tensor.options());
  reorder(src.layout, src.data, dst.layout, dst.data);
  return dst.tensor;
}

at::Tensor copy_of_operand(const at::Tensor& tensor) {
  IPEX_CHECK(
      readable(tensor) && tensor.device().type() == kDeviceType,
      E103,
      "read_operand",
      "accepted: a strided ipex tensor of at most 6 dimensions");
  const Operand operand = read(tensor);
  auto options = at::TensorOptions(tensor.dtype()).device(kCpu);
  return at::from_blob(const_cast<void*>(operand.data), operand.sizes(), operand.strides(), options)
      .clone()
      .view(tensor.sizes());
}

Result wrap_fresh(const at::Tensor& tensor) {
  return {tensor, write_bytes(tensor), plain_layout(tensor), {}};
}

c10::DimVector row_major_strides(c10::IntArrayRef sizes) {
  c10::DimVector strides(sizes.size());
  int64_t stride = 1;
  for (size_t dim = sizes.size(); dim-- > 0;) {
    strides[dim] = stride;
    stride *= std::max<int64_t>(sizes[dim], 1);
  }
  return strides;
}

c10::DimVector channels_last_strides(c10::IntArrayRef sizes) {
  if (sizes.size() < 3 || sizes.size() > 5)
    return row_major_strides(sizes);
  c10::DimVector strides(sizes.size());
  strides[1] = 1;
  int64_t stride = std::max<int64_t>(sizes[1], 1);
  for (size_t dim = sizes.size(); dim-- > 2;) {
    strides[dim] = stride;
    stride *= std::max<int64_t>(sizes[dim], 1);
  }
  strides[0] = stride;
  return strides;
}

bool same_order(c10::IntArrayRef sizes, c10::IntArrayRef a, c10::IntArrayRef b) {
  for (size_t dim = 0; dim < sizes.size(); ++dim)
    if (sizes[dim] != 1 && a[dim] != b[dim])
      return false;
  return true;
}

} // namespace ipex::forms
