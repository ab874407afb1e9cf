// Forms of storages: making, watching and dropping them.
#include "forms/form.h"

#include <c10/core/impl/COW.h>

#include "forms/reorder.h"
#include "forms/statistics.h"

namespace ipex::forms {

Form* Form::make(c10::StorageImpl& storage) {
  Block* block = block_of(storage.data_ptr());
  if (block == nullptr)
    return nullptr;
  Form* form = block->form.load(std::memory_order_acquire);
  if (form != nullptr)
    return form;
  auto made = std::make_unique<Form>();
  made->owner = block;
  Form* expected = nullptr;
  if (block->form.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel))
    return made.release();
  return expected; // another thread was faster
}

void Form::install(c10::StorageImpl& storage, const onednn::Layout& plain, const onednn::Layout& layout) {
  Block* block = block_of(storage.data_ptr());
  TORCH_INTERNAL_ASSERT(block != nullptr && block->form.load(std::memory_order_relaxed) == nullptr);
  auto form = std::make_unique<Form>();
  form->owner = block;
  form->plain = false;
  form->physical.emplace(Physical{plain, layout, block->data, {}});
  watch(storage);
  block->form.store(form.release(), std::memory_order_release);
}

void Form::watch(c10::StorageImpl& storage) {
  if (!storage.has_materializer())
    storage.set_materializer(&materialize);
}

void Form::make_plain(c10::StorageImpl& storage) {
  if (plain)
    return;
  TORCH_INTERNAL_ASSERT(physical.has_value() && !physical->owner);
  c10::DataPtr& slot = storage._mutable_data_ptr_no_checks();
  count_materialization();
  c10::DataPtr made = allocate(storage.nbytes());
  reorder(physical->layout, physical->data, physical->plain, made.get());
  Block* block = block_of(made);
  block->form.store(this, std::memory_order_release);
  block->aliases.store(owner->aliases.load());
  owner = block;
  // A moved-from DataPtr keeps its address, so threads that look for the form meanwhile find it through either block.
  physical->owner = std::move(slot);
  slot = std::move(made);
  plain = true;
}

void Form::drop_copies() {
  if (!packed.empty() || (plain && physical))
    ++generation;
  packed.clear();
  read_once.clear();
  if (plain)
    physical.reset();
}

void materialize(c10::StorageImpl* storage) {
  Form* form = Form::of(*storage);
  if (form == nullptr)
    return;
  const std::lock_guard lock(form->mutex());
  form->make_plain(*storage);
  form->drop_copies();
}

} // namespace ipex::forms
