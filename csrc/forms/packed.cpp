// Looks packed copies up, and makes them.
#include "forms/packed.h"

#include <ATen/core/grad_mode.h>

#include "forms/buffer.h"
#include "forms/pack_slices.h"
#include "forms/reorder.h"
#include "forms/statistics.h"
#include "forms/storage.h"

namespace ipex::forms {

namespace {

constexpr size_t kMostCopies = 2; // per storage: one for forward, one for backward or another batch size

std::shared_ptr<Buffer> buffer_for(const dnnl::memory::desc& wanted) {
  auto buffer = make_buffer(wanted.get_size());
  count_pack();
  return buffer;
}

std::shared_ptr<const Buffer> make(const void* data, const onednn::Layout& tensor, const dnnl::memory::desc& wanted) {
  const auto buffer = buffer_for(wanted);
  reorder(tensor.with_rank(wanted.get_ndims()).desc(), data, wanted, buffer->data.get());
  return buffer;
}

// The same for weights that are all of `storage`, whose plain bytes go back to the system on the way. Null when they
// have to stay.
std::shared_ptr<const Buffer> make_of_plain(
    Form& form,
    c10::StorageImpl& storage,
    const onednn::Layout& tensor,
    const dnnl::memory::desc& wanted) {
  if (at::GradMode::is_enabled() || !form.may_release())
    return nullptr;
  const auto buffer = buffer_for(wanted);
  const auto used_up = [&](size_t begin, size_t end) { Form::release_bytes(storage, begin, end); };
  void* const plain = storage._mutable_data_ptr_no_checks().get();
  return pack_in_slices(tensor, plain, wanted, buffer->data.get(), used_up) ? buffer : nullptr;
}

// The copy of the values at `offset`; null when there is none.
const Packed* find(const Form& form, int64_t offset, const onednn::Layout& tensor, const dnnl::memory::desc& wanted) {
  for (const Packed& copy : form.packed)
    if (copy.offset == offset && copy.tensor == tensor && copy.desc == wanted)
      return &copy;
  return nullptr;
}

// Training writes the weights soon, and reads them in other ways; then the plain bytes stay.
void give_back(Form& form, c10::StorageImpl& storage) {
  if (!at::GradMode::is_enabled())
    form.release_plain(storage);
}

} // namespace

PackedWeights pack(
    const at::Tensor& weights,
    const onednn::Layout& tensor,
    const dnnl::memory::desc& wanted,
    bool keep) {
  if (wanted == tensor.desc())
    return {read_bytes(weights), nullptr};
  c10::StorageImpl& storage = *weights.storage().unsafeGetStorageImpl();
  const Block* block = block_of(storage.data_ptr());
  Form* form = keep && block && block->aliases.load(std::memory_order_acquire) <= 0 ? Form::make(storage) : nullptr;
  if (form == nullptr) {
    auto buffer = make(read_bytes(weights), tensor, wanted);
    return {buffer->data.get(), buffer};
  }
  const int64_t offset = weights.storage_offset();
  const Form::Lock lock(*form);
  auto& copies = form->packed;
  if (const Packed* copy = find(*form, offset, tensor, wanted)) {
    count_packed_hit();
    const PackedWeights found{copy->buffer->data.get(), copy->buffer};
    if (C10_UNLIKELY(form->plain && copy->whole))
      give_back(*form, storage);
    return found;
  }
  form->make_plain(storage);
  const auto* first =
      static_cast<const char*>(storage.data_ptr().get()) + offset * static_cast<int64_t>(weights.itemsize());
  const bool whole = offset == 0 && tensor.dense() &&
      tensor.elements() * static_cast<int64_t>(weights.itemsize()) == static_cast<int64_t>(storage.nbytes()) &&
      wanted.get_data_type() == tensor.dtype;
  auto buffer = whole ? make_of_plain(*form, storage, tensor, wanted) : nullptr;
  const bool sliced = buffer != nullptr;
  if (!sliced)
    buffer = make(first, tensor, wanted);
  if (copies.size() == kMostCopies)
    copies.erase(copies.begin());
  copies.push_back({whole, offset, tensor, wanted, buffer});
  Form::watch(storage);
  if (whole)
    give_back(*form, storage);
  TORCH_INTERNAL_ASSERT(!sliced || !form->plain);
  return {buffer->data.get(), buffer};
}

PackedWeights pack_once(const void* data, const onednn::Layout& tensor, const dnnl::memory::desc& wanted) {
  auto buffer = make(data, tensor, wanted);
  return {buffer->data.get(), buffer};
}

bool is_packed(const at::Tensor& weights, const onednn::Layout& tensor, const dnnl::memory::desc& wanted) {
  c10::StorageImpl& storage = *weights.storage().unsafeGetStorageImpl();
  Form* form = block_of(storage.data_ptr()) ? Form::of(storage) : nullptr;
  if (form == nullptr)
    return false;
  const Form::Lock lock(*form);
  return find(*form, weights.storage_offset(), tensor, wanted) != nullptr;
}

bool packing_pays(const at::Tensor& weights, const onednn::Layout& tensor, Reuse reuse) {
  c10::StorageImpl& storage = *weights.storage().unsafeGetStorageImpl();
  const Block* block = block_of(storage.data_ptr());
  if (reuse == Reuse::kNever || block == nullptr || block->aliases.load(std::memory_order_acquire) > 0 ||
      storage.nbytes() != weights.nbytes())
    return false;
  Form* form = reuse == Reuse::kLikely ? Form::of(storage) : Form::make(storage);
  if (form == nullptr)
    return reuse == Reuse::kLikely;
  const Form::Lock lock(*form);
  if (!form->plain && form->physical) // a kernel's result: no weight
    return false;
  if (reuse == Reuse::kLikely)
    return true;
  for (const Packed& copy : form->packed)
    if (copy.tensor == tensor)
      return true;
  for (const onednn::Layout& read : form->read_once)
    if (read == tensor)
      return true;
  if (form->read_once.size() < kMostCopies) {
    form->read_once.push_back(tensor);
    Form::watch(storage);
  }
  return false;
}

} // namespace ipex::forms
