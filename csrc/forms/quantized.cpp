// Conversions between float32 storages and the int8 values beside them.
#include "forms/quantized.h"

#include <ATen/EmptyTensor.h>
#include <ATen/Parallel.h>

#include "core/device.h"
#include "core/profile.h"
#include "forms/buffer.h"
#include "forms/translate.h"

namespace ipex::forms {

namespace {

constexpr int64_t kGrain = 1 << 15;

c10::StorageImpl& storage_of(const at::Tensor& tensor) {
  return *tensor.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl();
}

Form* form_of(const at::Tensor& tensor) {
  return tensor.has_storage() && tensor.scalar_type() == at::kFloat ? Form::of(storage_of(tensor)) : nullptr;
}

// Whether `tensor` shows its whole storage.
bool is_whole(const at::Tensor& tensor) {
  return tensor.numel() * sizeof(float) == storage_of(tensor).nbytes();
}

// Where `tensor` lies in the int8 values; nothing when no strides say that.
std::optional<Operand> view(const Quantized& quantized, const at::Tensor& tensor) {
  const auto place =
      translate(quantized.plain, quantized.layout, tensor.sizes(), tensor.strides(), tensor.storage_offset());
  if (!place)
    return std::nullopt;
  Operand operand{static_cast<const char*>(quantized.buffer->data.get()) + place->offset, place->layout, {}, {}};
  operand.layout.dtype = quantized.as.dtype;
  if (operand.layout.rank == 0)
    operand.layout = onednn::Layout::dense(operand.layout.dtype, {1});
  operand.scale = quantized.as.scale;
  operand.buffer = quantized.buffer;
  return operand;
}

// The float32 values of `operand` as int8, in the same order.
Operand converted(Operand operand, const Quantization& as) {
  if (!operand.dense())
    operand = copy(operand, row_major_strides(operand.sizes()));
  const int64_t count = operand.layout.elements();
  const auto buffer = make_buffer(count);
  quantize(static_cast<const float*>(operand.data), buffer->data.get(), count, as);
  Operand made{buffer->data.get(), operand.layout, {}, {}};
  made.layout.dtype = as.dtype;
  made.scale = as.scale;
  made.buffer = buffer;
  return made;
}

// Makes the int8 values of a form whose float32 values are valid, and rounds these too if they are due. Called with the
// lock held.
void make_quantized(Form& form, c10::StorageImpl& storage, const Quantization& as) {
  const auto count = static_cast<int64_t>(storage.nbytes() / sizeof(float));
  void* from = nullptr;
  onednn::Layout plain, layout;
  if (form.physical) {
    from = const_cast<void*>(form.physical->data);
    plain = form.physical->plain;
    layout = form.physical->layout;
  } else {
    form.make_plain(storage);
    from = storage._mutable_data_ptr_no_checks().get();
    plain = layout = onednn::Layout::dense(dnnl::memory::data_type::f32, {count});
  }
  const auto buffer = make_buffer(count);
  quantize(static_cast<const float*>(from), buffer->data.get(), count, as);
  layout.dtype = as.dtype;
  form.quantized.emplace(Quantized{as, plain, layout, buffer});
  Form::watch(storage);
  if (!form.due)
    return;
  form.packed.clear();
  form.read_once.clear();
  form.narrow = {};
  form.bound = as.bound();
  if (!form.exposed)
    return form.drop_floats();
  dequantize(buffer->data.get(), static_cast<float*>(from), count, as); // somebody may read them there
  form.is_rounded = true;
}

bool is_float(const Form& form) {
  return !form.physical || form.physical->plain.dtype == dnnl::memory::data_type::f32;
}

} // namespace

void quantize(const float* src, void* dst, int64_t count, const Quantization& as) {
  const auto convert = byte_functions(as.dtype).from_float;
  const profile::Kernel profiled("quantize");
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    convert(src + begin, static_cast<char*>(dst) + begin, end - begin, as.scale);
  });
}

void dequantize(const void* src, float* dst, int64_t count, const Quantization& as) {
  const auto convert = byte_functions(as.dtype).to_float;
  const profile::Kernel profiled("dequantize");
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    convert(static_cast<const char*>(src) + begin, dst + begin, end - begin, as.scale);
  });
}

bool is_only_quantized(const at::Tensor& tensor) {
  Form* form = form_of(tensor);
  if (form == nullptr)
    return false;
  const Form::Lock lock(*form);
  return form->only_quantized;
}

std::optional<Quantization> due(const at::Tensor& tensor) {
  Form* form = form_of(tensor);
  if (form == nullptr)
    return std::nullopt;
  const Form::Lock lock(*form);
  return form->due;
}

bool is_unrounded(const at::Tensor& tensor) {
  Form* form = form_of(tensor);
  if (form == nullptr)
    return false;
  const Form::Lock lock(*form);
  return form->due && !form->is_rounded;
}

Origin origin(const at::Tensor& tensor) {
  Form* form = form_of(tensor);
  if (form == nullptr)
    return {};
  const Form::Lock lock(*form);
  return form->origin;
}

void set_origin(const at::Tensor& tensor, const Origin& origin) {
  Form* form = tensor.has_storage() && tensor.scalar_type() == at::kFloat ? Form::make(storage_of(tensor)) : nullptr;
  if (form == nullptr)
    return;
  const Form::Lock lock(*form);
  form->origin = is_whole(tensor) ? origin : Origin{};
  Form::watch(storage_of(tensor));
}

void set_due(const at::Tensor& tensor, const std::optional<Quantization>& due, bool is_fresh) {
  if (!tensor.has_storage() || tensor.scalar_type() != at::kFloat)
    return;
  c10::StorageImpl& storage = storage_of(tensor);
  Form* form = Form::of(storage);
  const bool is_new = form == nullptr;
  if (is_new && due)
    form = Form::make(storage);
  if (form == nullptr)
    return;
  const Form::Lock lock(*form);
  if (is_new && is_fresh)
    form->exposed = false;
  form->due = is_whole(tensor) ? due : std::nullopt;
  form->is_rounded = form->only_quantized;
  if (due)
    Form::watch(storage);
}

Operand read_quantized(const at::Tensor& tensor, const Quantization& otherwise, c10::IntArrayRef strides) {
  c10::StorageImpl& storage = storage_of(tensor);
  Form* form = Form::make(storage);
  if (form == nullptr)
    return ordered(converted(read(tensor), otherwise), strides);
  if (due(tensor)) // what is computed of the values takes them before they are rounded
    form->close_dependents();
  std::optional<Operand> found;
  Quantization as = otherwise;
  {
    const Form::Lock lock(*form);
    if (form->due)
      as = *form->due;
    if (form->due && form->open)
      form->close_quantized(storage);
    if (form->only_quantized)
      as = form->quantized->as;
    const bool is_aliased = form->owner->aliases.load() > 0;
    if (!form->quantized || form->quantized->as != as) {
      form->close(storage);
      const auto count = static_cast<int64_t>(storage.nbytes() / sizeof(float));
      // A small part of a large storage is not worth a copy of all, and what has an alias changes unseen.
      const bool pays = 2 * tensor.numel() >= count && !is_aliased;
      if ((is_float(*form) && (form->due || pays)) || form->only_narrow) {
        form->widen(storage);
        make_quantized(*form, storage, as);
      }
    }
    if (form->quantized && form->quantized->as == as)
      found = view(*form->quantized, tensor);
    if (is_aliased && !form->only_quantized)
      form->quantized.reset();
  }
  return ordered(found ? std::move(*found) : converted(read(tensor), as), strides);
}

Operand read_due(const at::Tensor& tensor) {
  if (const auto wanted = due(tensor))
    return read_quantized(tensor, *wanted, {});
  return read_held(tensor);
}

Operand read_held(const at::Tensor& tensor) {
  if (Form* form = form_of(tensor)) {
    const Form::Lock lock(*form);
    if (form->only_quantized)
      if (auto found = view(*form->quantized, tensor))
        return std::move(*found);
  }
  return read(tensor);
}

Operand ordered(Operand operand, c10::IntArrayRef strides) {
  if (strides.empty() || same_order(operand.sizes(), operand.strides(), strides))
    return operand;
  return copy(operand, strides);
}

QuantizedResult make_quantized_result(
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    c10::IntArrayRef physical,
    const Quantization& as) {
  auto plain = onednn::Layout::strided(dnnl::memory::data_type::f32, sizes, strides);
  auto layout = onednn::Layout::strided(as.dtype, sizes, physical);
  const int64_t count = plain.elements();
  const auto buffer = make_buffer(count);
  c10::Storage storage(
      c10::Storage::use_byte_size_t(),
      count * static_cast<int64_t>(sizeof(float)),
      allocate_header(),
      c10::GetAllocator(kDeviceType),
      true);
  Form::install_quantized(*storage.unsafeGetStorageImpl(), Quantized{as, plain, layout, buffer});
  auto tensor = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), c10::scalarTypeToTypeMeta(at::kFloat));
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides);
  return {std::move(tensor), buffer->data.get()};
}

} // namespace ipex::forms
