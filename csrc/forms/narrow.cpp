// Conversions between float32 storages and the bfloat16 storages beside them.
#include "forms/narrow.h"

#include <ATen/Parallel.h>
#include <c10/core/TensorImpl.h>

#include "core/device.h"
#include "core/profile.h"
#include "forms/form.h"
#include "forms/operand.h"
#include "vec/functions.h"

namespace ipex::forms {

namespace {

constexpr int64_t kGrain = 1 << 15;

c10::StorageImpl& storage_of(const at::Tensor& tensor) {
  return *tensor.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl();
}

at::TensorOptions options(c10::ScalarType dtype) {
  return at::TensorOptions(kDevice).dtype(dtype);
}

// A tensor of `dtype` over `storage` with the sizes, strides and offset of `like`.
at::Tensor view(c10::Storage storage, c10::ScalarType dtype, const at::Tensor& like) {
  auto made = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), c10::scalarTypeToTypeMeta(dtype));
  made.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
  return made;
}

// A storage of `count` values of `dtype` that convert(src, dst, count) makes of those of the form, in the order in which
// they lie. Called with the lock held.
template <class Convert>
c10::Storage make_converted(
    Form& form,
    c10::StorageImpl& storage,
    int64_t count,
    c10::ScalarType dtype,
    Convert convert) {
  if (form.physical) {
    const Physical& from = *form.physical;
    const auto made =
        make_result(from.plain.sizes_ref(), from.plain.strides_ref(), from.layout.strides_ref(), options(dtype));
    convert(from.data, made.data, count);
    return made.tensor.storage();
  }
  form.make_plain(storage);
  const auto made = make_contiguous_result({count}, options(dtype));
  convert(storage._mutable_data_ptr_no_checks().get(), made.data, count);
  return made.tensor.storage();
}

// The narrow storage of a form whose float32 values are valid. Called with the lock held.
c10::Storage make_narrow(Form& form, c10::StorageImpl& storage) {
  const auto count = static_cast<int64_t>(storage.nbytes() / sizeof(float));
  return make_converted(form, storage, count, at::kBFloat16, [](const void* src, void* dst, int64_t values) {
    to_narrow(static_cast<const float*>(src), dst, values);
  });
}

// Whether the values of the storage are float32 numbers from its begin to its end.
bool is_float(const Form& form) {
  return !form.physical || form.physical->plain.dtype == dnnl::memory::data_type::f32;
}

} // namespace

void to_narrow(const float* src, void* dst, int64_t count) {
  const auto convert = vec::functions().float_to_bfloat16;
  const profile::Kernel profiled("to_bfloat16");
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    convert(src + begin, static_cast<uint16_t*>(dst) + begin, end - begin);
  });
}

void to_wide(const void* src, float* dst, int64_t count) {
  const auto convert = vec::functions().bfloat16_to_float;
  const profile::Kernel profiled("to_float32");
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    convert(static_cast<const uint16_t*>(src) + begin, dst + begin, end - begin);
  });
}

bool is_narrow(const at::Tensor& tensor) {
  Form* form = tensor.scalar_type() == at::kFloat ? Form::of(storage_of(tensor)) : nullptr;
  if (form == nullptr)
    return false;
  const Form::Lock lock(*form);
  return form->computed_narrow;
}

bool is_only_narrow(const at::Tensor& tensor) {
  Form* form = tensor.scalar_type() == at::kFloat ? Form::of(storage_of(tensor)) : nullptr;
  if (form == nullptr)
    return false;
  const Form::Lock lock(*form);
  return form->only_narrow;
}

at::Tensor narrow(const at::Tensor& tensor) {
  c10::StorageImpl& storage = storage_of(tensor);
  Form* form = tensor.numel() == 0 ? nullptr : Form::make(storage);
  if (form == nullptr)
    return narrow_copy(tensor);
  {
    const Form::Lock lock(*form);
    form->close(storage);
    const auto count = static_cast<int64_t>(storage.nbytes() / sizeof(float));
    // A small part of a large storage is not worth a copy of all, and what has an alias changes unseen.
    const bool pays = 2 * tensor.numel() >= count && form->owner->aliases.load() <= 0 && is_float(*form);
    if (!form->narrow && pays) {
      form->narrow = make_narrow(*form, storage);
      Form::watch(storage);
    }
    if (form->narrow)
      return view(form->narrow, at::kBFloat16, tensor);
  }
  return narrow_copy(tensor);
}

at::Tensor wide(const at::Tensor& tensor) {
  c10::StorageImpl& storage = storage_of(tensor);
  const auto count = static_cast<int64_t>(storage.nbytes() / sizeof(c10::BFloat16));
  // As in narrow().
  Form* form = 2 * tensor.numel() < count || tensor.numel() == 0 ? nullptr : Form::make(storage);
  if (form != nullptr) {
    const Form::Lock lock(*form);
    form->close(storage);
    const bool is_bfloat16 = !form->physical || form->physical->plain.dtype == dnnl::memory::data_type::bf16;
    if (!form->wide && form->owner->aliases.load() <= 0 && is_bfloat16) {
      form->wide = make_converted(*form, storage, count, at::kFloat, [](const void* src, void* dst, int64_t values) {
        to_wide(src, static_cast<float*>(dst), values);
      });
      Form::watch(storage);
    }
    if (form->wide)
      return view(form->wide, at::kFloat, tensor);
  }
  return wide_copy(tensor);
}

at::Tensor narrow_for_update(const at::Tensor& tensor) {
  c10::StorageImpl& storage = storage_of(tensor);
  Form* form = Form::make(storage);
  if (form == nullptr)
    return {};
  form->close_dependents();
  const Form::Lock lock(*form);
  form->close(storage);
  if (form->owner->aliases.load() > 0 || !is_float(*form))
    return {};
  if (!form->narrow) {
    form->narrow = make_narrow(*form, storage);
    Form::watch(storage);
  }
  return view(form->narrow, at::kBFloat16, tensor);
}

void wrote_narrow(const at::Tensor& tensor) {
  c10::StorageImpl& storage = storage_of(tensor);
  Form* form = Form::of(storage);
  const Form::Lock lock(*form);
  form->values_changed_narrow(storage);
}

at::Tensor shown_wide(const at::Tensor& values) {
  const c10::Storage& narrow = values.storage();
  c10::Storage storage(
      c10::Storage::use_byte_size_t(), 2 * narrow.nbytes(), allocate_header(), c10::GetAllocator(kDeviceType), true);
  Form::install_narrow(*storage.unsafeGetStorageImpl(), narrow);
  return view(std::move(storage), at::kFloat, values);
}

namespace {

template <class Convert>
at::Tensor converted(const at::Tensor& tensor, c10::ScalarType dtype, Convert convert) {
  Operand operand = read(tensor);
  if (!operand.dense())
    operand = copy(operand, row_major_strides(operand.sizes()));
  c10::DimVector shown(tensor.strides());
  if (!tensor.is_non_overlapping_and_dense())
    shown = row_major_strides(tensor.sizes());
  const c10::IntArrayRef physical = tensor.dim() == 0 ? tensor.strides() : operand.strides();
  const auto made = make_result(tensor.sizes(), shown, physical, options(dtype));
  convert(operand.data, made.data, tensor.numel());
  return made.tensor;
}

} // namespace

at::Tensor narrow_copy(const at::Tensor& tensor) {
  return converted(tensor, at::kBFloat16, [](const void* src, void* dst, int64_t count) {
    to_narrow(static_cast<const float*>(src), dst, count);
  });
}

at::Tensor wide_copy(const at::Tensor& tensor) {
  return converted(tensor, at::kFloat, [](const void* src, void* dst, int64_t count) {
    to_wide(src, static_cast<float*>(dst), count);
  });
}

} // namespace ipex::forms
