// Compiles and executes primitives.
#include "onednn/primitive.h"

#include <dnnl_debug.h>
#include <sys/mman.h>

#include <array>

#include "core/check.h"
#include "core/profile.h"
#include "core/recorder.h"
#include "onednn/details.h"
#include "onednn/engine.h"
#include "onednn/faults.h"
#include "onednn/scratchpad.h"

namespace ipex::onednn {

// The memory objects of one execution, in the order in which the operator passes its arguments.
class Primitive::Operands {
 public:
  Operands(const dnnl::primitive_desc_base& desc, c10::ArrayRef<Argument> arguments) {
    for (const Argument& argument : arguments)
      if (argument.data != nullptr)
        add(argument.id, desc.query_md(dnnl::query::exec_arg_md, argument.id), argument.count);
    const dnnl::memory::desc scratchpad = desc.query_md(dnnl::query::scratchpad_md);
    scratchpad_bytes_ = scratchpad.get_size();
    if (scratchpad_bytes_ != 0)
      add(DNNL_ARG_SCRATCHPAD, scratchpad);
  }

  // Whether this object was made for the same set of arguments.
  bool set(c10::ArrayRef<Argument> arguments) {
    size_t next = 0;
    for (const Argument& argument : arguments) {
      if (argument.data == nullptr)
        continue;
      if (next == count_ || arguments_[next].arg != argument.id)
        return false;
      set_data(next++, const_cast<void*>(argument.data));
    }
    if (scratchpad_bytes_ != 0)
      set_data(next++, scratchpad(scratchpad_bytes_));
    return next == count_;
  }

  dnnl_status_t execute(const dnnl::primitive& primitive) const {
    return dnnl_primitive_execute(primitive.get(), stream().get(), static_cast<int>(count_), arguments_.data());
  }

 private:
  static constexpr size_t kMaxArguments = 16;

  void add(int id, dnnl::memory::desc desc, int64_t count = 1) {
    TORCH_INTERNAL_ASSERT(count_ < kMaxArguments);
    if (desc.is_zero() && (id & DNNL_ARG_ATTR_SCALES) != 0) // oneDNN 3.2 does not describe these
      desc = {{count}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a};
    memories_[count_] = dnnl::memory(desc, engine(), nullptr);
    arguments_[count_] = {id, memories_[count_].get()};
    ++count_;
  }

  void set_data(size_t index, void* data) {
    dnnl_memory_set_data_handle(arguments_[index].memory, data);
  }

  std::array<dnnl::memory, kMaxArguments> memories_;
  std::array<dnnl_exec_arg_t, kMaxArguments> arguments_{};
  size_t count_ = 0;
  size_t scratchpad_bytes_ = 0;
};

Primitive::Primitive(const char* name, const dnnl::primitive_desc_base& desc, bool accept_reference) : name_(name) {
  if (!desc.get(/*allow_empty=*/true))
    return;
  implementation_ = desc.impl_info_str();
  if (implementation_.starts_with("ref") && !accept_reference)
    return;
  usable_ = true;
  desc_ = desc;
  weights_ = argument(DNNL_ARG_DIFF_WEIGHTS);
  if (weights_.is_zero())
    weights_ = argument(DNNL_ARG_WEIGHTS);
}

void Primitive::make() const {
  // oneDNN 3.2 does not notice when the system refuses memory for the code of one of a primitive's kernels (a quarter of a
  // MiB each, a hundred at most), and later calls a null pointer.
  constexpr size_t kMostCode = size_t{64} << 20;
  void* room = mmap(nullptr, kMostCode, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  IPEX_CHECK(
      room != MAP_FAILED,
      E201,
      name_,
      "there is no address space for the machine code of ",
      implementation_,
      ": a primitive may need ",
      kMostCode >> 20,
      " MiB while it is made");
  munmap(room, kMostCode);
  try {
    may_fail(faults::Site::kPrimitive);
    primitive_ = dnnl::primitive(desc_.get());
  } catch (const dnnl::error& error) {
    raise(ErrorCode::E301, name_, c10::str("oneDNN could not create ", implementation_, ": ", error.what()));
  }
}

Primitive::~Primitive() {
  delete spare_.load(std::memory_order_acquire);
}

void Primitive::run(c10::ArrayRef<Argument> arguments) const {
  if (C10_UNLIKELY(recorder::active()))
    recorder::note_primitive(name_, implementation_);
  std::call_once(made_, [this] { make(); });
  const profile::Kernel profiled(name_, implementation_, [&] { return details_of(desc_, arguments); });
  std::unique_ptr<Operands> operands(spare_.exchange(nullptr, std::memory_order_acquire));
  dnnl_status_t status = dnnl_success;
  try {
    if (!operands || !operands->set(arguments)) {
      operands = std::make_unique<Operands>(desc_, arguments);
      TORCH_INTERNAL_ASSERT(operands->set(arguments), name_, " passes an argument twice");
    }
    may_fail(faults::Site::kExecution);
    status = operands->execute(primitive_);
  } catch (const dnnl::error& error) {
    status = error.status;
  }
  IPEX_CHECK(
      status == dnnl_success,
      E301,
      name_,
      "oneDNN returned ",
      dnnl_status2str(status),
      " while running ",
      implementation_);
  operands.reset(spare_.exchange(operands.release(), std::memory_order_acq_rel));
}

} // namespace ipex::onednn
