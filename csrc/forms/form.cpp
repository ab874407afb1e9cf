// Forms of storages: making, watching and dropping them.
#include "forms/form.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "core/device.h"
#include "core/memory_statistics.h"
#include "core/profile.h"
#include "forms/buffer.h"
#include "forms/narrow.h"
#include "forms/quantized.h"
#include "forms/reorder.h"
#include "forms/statistics.h"

namespace ipex::forms {

namespace {

// A weight whose plain bytes are asked for again and again keeps them.
constexpr int32_t kMostRefills = 3;

// The plain bytes of a storage that nobody writes meanwhile.
const void* plain_bytes(c10::StorageImpl& storage) {
  Form* form = Form::of(storage);
  if (form == nullptr)
    return storage.mutable_data();
  const Form::Lock lock(*form);
  form->make_plain(storage);
  return storage._mutable_data_ptr_no_checks().get();
}

} // namespace

Form* Form::make(c10::StorageImpl& storage) {
  Block* block = block_of(storage.data_ptr());
  if (block == nullptr)
    return nullptr;
  Form* form = block->form.load(std::memory_order_acquire);
  if (form != nullptr)
    return form;
  auto* made = new Form();
  made->owner = block;
  if (block->form.compare_exchange_strong(form, made, std::memory_order_acq_rel))
    return made;
  made->release(); // another thread was faster
  return form;
}

void Form::install(c10::StorageImpl& storage, const onednn::Layout& plain, const onednn::Layout& layout) {
  Block* block = block_of(storage.data_ptr());
  TORCH_INTERNAL_ASSERT(block != nullptr && block->form.load(std::memory_order_relaxed) == nullptr);
  auto* form = new Form();
  form->owner = block;
  form->plain = false;
  form->exposed = false;
  form->physical.emplace(Physical{plain, layout, block->data, {}});
  watch(storage);
  block->form.store(form, std::memory_order_release);
}

void Form::watch_fresh(c10::StorageImpl& storage) {
  Form* form = make(storage);
  if (form == nullptr)
    return;
  form->releasable = true;
  form->exposed = false;
  watch(storage);
}

void Form::install_open(
    c10::StorageImpl& storage,
    const onednn::Layout& plain,
    const onednn::Layout& layout,
    std::shared_ptr<OpenValues> values) {
  Form* form = make(storage);
  TORCH_INTERNAL_ASSERT(form != nullptr);
  const Form::Lock lock(*form);
  form->plain = false;
  form->exposed = false;
  form->physical.emplace(Physical{plain, layout, form->owner->data, {}});
  form->open = std::move(values);
  watch(storage);
}

void Form::close(c10::StorageImpl& storage) {
  if (!open)
    return;
  bound = open->compute(storage, *physical, has_dependents());
  finished_ = std::move(open);
  if (physical->layout != physical->plain)
    return;
  plain = true;
  physical.reset();
}

bool Form::has_dependents() const {
  return std::any_of(dependents_.begin(), dependents_.end(), [](const auto& values) { return !values.expired(); });
}

void Form::add_dependent(const std::shared_ptr<OpenValues>& values) {
  std::erase_if(dependents_, [](const auto& other) { return other.expired(); });
  dependents_.push_back(values);
  has_dependents_.store(true);
}

void Form::close_dependents() {
  if (C10_LIKELY(!has_dependents_.load()))
    return;
  std::vector<std::weak_ptr<OpenValues>> dependents;
  {
    const Lock lock(*this);
    dependents = dependents_;
  }
  for (const auto& dependent : dependents)
    if (const auto values = dependent.lock())
      values->close();
  const Lock lock(*this);
  std::erase_if(dependents_, [](const auto& values) { return values.expired(); });
  has_dependents_.store(!dependents_.empty());
}

void close(c10::StorageImpl& storage) {
  Form* form = Form::of(storage);
  if (form == nullptr)
    return;
  const Form::Lock lock(*form);
  form->close(storage);
}

void Form::watch(c10::StorageImpl& storage) {
  if (!storage.has_materializer())
    storage.set_materializer(&materialize);
}

void Form::make_plain(c10::StorageImpl& storage) {
  close(storage);
  widen(storage);
  if (plain)
    return;
  if (!physical)
    return refill(storage);
  TORCH_INTERNAL_ASSERT(!physical->owner);
  const profile::Range profiled([] { return "materialize [layout]"; });
  count_materialization();
  c10::DataPtr made = allocate(storage.nbytes());
  reorder(physical->layout, physical->data, physical->plain, made.get());
  reseat(storage, std::move(made), physical->owner);
  plain = true;
}

// Gives the storage other bytes.
void Form::reseat(c10::StorageImpl& storage, c10::DataPtr bytes, c10::DataPtr& before) {
  c10::DataPtr& slot = storage._mutable_data_ptr_no_checks();
  Block* block = block_of(bytes);
  block->form.store(this, std::memory_order_release);
  block->aliases.store(owner->aliases.load());
  owner = block;
  // Other threads may look for the form meanwhile, through the words of `slot`. Each is written for itself, so at no time
  // may an address or a context stand beside the wrong deleter: a moved-from DataPtr keeps its address and its deleter,
  // then the address changes, and both belong to one of the two blocks (block_of).
  before = std::move(slot);
  slot = c10::DataPtr(bytes.get(), nullptr, bytes.get_deleter(), kDevice);
  slot = std::move(bytes);
}

void Form::install_narrow(c10::StorageImpl& storage, const c10::Storage& narrow) {
  Form* form = make(storage);
  TORCH_INTERNAL_ASSERT(form != nullptr);
  form->plain = false;
  form->exposed = false;
  form->narrow = narrow;
  form->only_narrow = form->computed_narrow = true;
  watch(storage);
}

void Form::close_narrow() {
  c10::StorageImpl& source = *narrow.unsafeGetStorageImpl();
  Form* form = of(source);
  if (form == nullptr)
    return;
  const Lock lock(*form);
  form->close(source);
  if (form->finished_)
    finished_ = std::move(form->finished_); // destroyed after this lock too
}

void Form::install_quantized(c10::StorageImpl& storage, Quantized values) {
  Form* form = make(storage);
  TORCH_INTERNAL_ASSERT(form != nullptr);
  form->plain = false;
  form->exposed = false;
  form->quantized.emplace(std::move(values));
  form->only_quantized = true;
  watch(storage);
}

void Form::close_quantized(c10::StorageImpl& storage) {
  auto buffer = make_buffer(static_cast<size_t>(physical->layout.elements()));
  Physical target{physical->plain, physical->layout, buffer->data.get(), {}};
  target.layout.dtype = due->dtype;
  target.scale = due->scale;
  bound = open->compute(storage, target, has_dependents());
  finished_ = std::move(open);
  quantized.emplace(Quantized{*due, target.plain, target.layout, std::move(buffer)});
  only_quantized = is_rounded = true;
  physical.reset();
}

void Form::drop_floats() {
  if (physical && physical->owner)
    retired_.push_back(std::move(physical->owner)); // somebody may be reading them
  physical.reset();
  plain = false;
  only_quantized = is_rounded = true;
  bound = quantized->as.bound();
}

void Form::widen(c10::StorageImpl& storage) {
  if (only_quantized)
    return dequantize(storage);
  if (only_narrow)
    widen_narrow(storage);
}

void Form::dequantize(c10::StorageImpl& storage) {
  const profile::Range profiled([] { return "materialize [int8]"; });
  c10::DataPtr made = allocate(storage.nbytes());
  auto* values = static_cast<float*>(made.get());
  forms::dequantize(quantized->buffer->data.get(), values, quantized->layout.elements(), quantized->as);
  onednn::Layout layout = quantized->layout;
  layout.dtype = quantized->plain.dtype;
  plain = layout == quantized->plain;
  if (!plain)
    physical.emplace(Physical{quantized->plain, layout, values, {}});
  count_materialization();
  retired_.emplace_back();
  reseat(storage, std::move(made), retired_.back());
  only_quantized = false;
}

void Form::widen_narrow(c10::StorageImpl& storage) {
  close_narrow();
  const profile::Range profiled([] { return "materialize [bfloat16]"; });
  c10::StorageImpl& source = *narrow.unsafeGetStorageImpl();
  c10::DataPtr made = allocate(storage.nbytes());
  auto* values = static_cast<float*>(made.get());
  const void* from = nullptr;
  if (Form* form = of(source)) {
    const Lock lock(*form);
    if (form->physical && !form->plain) {
      from = form->physical->data;
      physical.emplace(Physical{form->physical->plain, form->physical->layout, values, {}});
      physical->plain.dtype = physical->layout.dtype = dnnl::memory::data_type::f32;
    }
  }
  const bool is_plain = from == nullptr;
  to_wide(is_plain ? plain_bytes(source) : from, values, static_cast<int64_t>(storage.nbytes() / sizeof(float)));
  plain = is_plain;
  count_materialization();
  retired_.emplace_back();
  reseat(storage, std::move(made), retired_.back());
  only_narrow = false;
}

void Form::values_changed_narrow(c10::StorageImpl& storage) {
  packed.clear();
  read_once.clear();
  quantized.reset();
  due.reset();
  origin = {};
  bound = kUnknown;
  ++generation;
  computed_narrow = true;
  physical.reset();
  if (!plain) {
    only_narrow = true;
    return;
  }
  // Somebody may have a pointer to the bytes: they follow.
  const void* values = nullptr;
  try {
    close_narrow();
    values = plain_bytes(*narrow.unsafeGetStorageImpl());
  } catch (...) { // the write did not happen
    narrow = {};
    throw;
  }
  to_wide(
      values,
      static_cast<float*>(storage._mutable_data_ptr_no_checks().get()),
      static_cast<int64_t>(storage.nbytes() / sizeof(float)));
}

void Form::refill(c10::StorageImpl& storage) {
  const auto source = std::find_if(packed.begin(), packed.end(), [](const Packed& copy) { return copy.whole; });
  TORCH_INTERNAL_ASSERT(source != packed.end());
  const profile::Range profiled([] { return "materialize [packed weights]"; });
  count_materialization();
  reorder(
      source->desc,
      source->buffer->data.get(),
      source->tensor.with_rank(source->desc.get_ndims()).desc(),
      storage._mutable_data_ptr_no_checks().get());
  statistics().bytes.increase(static_cast<int64_t>(std::exchange(released_bytes_, 0)));
  plain = true;
  releasable = ++refills < kMostRefills;
}

bool Form::may_release() const {
  return plain && releasable && !physical && readers.load(std::memory_order_acquire) == 0;
}

size_t Form::release_bytes(c10::StorageImpl& storage, size_t first, size_t last) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto data = reinterpret_cast<uintptr_t>(storage._mutable_data_ptr_no_checks().get());
  const uintptr_t begin = (data + first + page - 1) & ~(page - 1), end = (data + last) & ~(page - 1);
  if (end <= begin || madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED) != 0)
    return 0;
  return end - begin;
}

void Form::release_plain(c10::StorageImpl& storage) {
  if (!may_release())
    return;
  if (std::none_of(packed.begin(), packed.end(), [](const Packed& copy) { return copy.whole; }))
    return;
  const size_t released = release_bytes(storage, 0, storage.nbytes());
  if (released == 0)
    return;
  released_bytes_ = released;
  statistics().bytes.decrease(static_cast<int64_t>(released_bytes_));
  plain = false;
}

Form::~Form() {
  // The block's count is about to be taken off as a whole.
  if (released_bytes_ != 0)
    statistics().bytes.increase(static_cast<int64_t>(released_bytes_));
}

void Form::drop_copies() {
  if (!packed.empty() || narrow || wide || quantized || (plain && physical))
    ++generation;
  wide = {};
  if (!only_quantized)
    quantized.reset();
  due.reset();
  is_rounded = false;
  origin = {};
  packed.clear();
  read_once.clear();
  bound = kUnknown;
  if (!only_narrow)
    narrow = {};
  if (plain)
    physical.reset();
}

void materialize(c10::StorageImpl* storage) {
  Form* form = Form::of(*storage);
  if (form == nullptr)
    return;
  form->close_dependents();
  const Form::Lock lock(*form);
  form->make_plain(*storage);
  const auto due = form->due; // looking at values does not change how they are read later
  const Origin origin = form->origin;
  const bool is_rounded = form->is_rounded;
  form->drop_copies();
  form->due = due;
  form->is_rounded = is_rounded;
  form->origin = origin;
  form->releasable = false; // whoever asked may keep the pointer
  form->exposed = true;
}

} // namespace ipex::forms
