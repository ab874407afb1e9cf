// Holds one growing buffer per thread.
#include "onednn/scratchpad.h"

#include <c10/core/impl/alloc_cpu.h>

#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>

#include <memory>

#include "core/check.h"
#include "core/faults.h"

namespace ipex::onednn {

namespace {

constexpr size_t kKeepBytes = size_t{16} << 20;

struct Buffer {
  std::unique_ptr<void, void (*)(void*)> memory{nullptr, &c10::free_cpu};
  size_t bytes = 0;
};

} // namespace

void* scratchpad(size_t bytes) {
  thread_local Buffer buffer;
  const bool wasteful = buffer.bytes > kKeepBytes && bytes < buffer.bytes / 8;
  if (bytes > buffer.bytes || wasteful) {
    buffer.bytes = 0;
    buffer.memory.reset(); // before the new one is taken: the contents are not needed
    try {
      TORCH_CHECK(!faults::strikes(faults::Site::kAllocation), "no memory, on purpose");
      buffer.memory.reset(c10::alloc_cpu(bytes));
    } catch (const c10::Error&) {
      raise(ErrorCode::E201, "work memory of a kernel", c10::str("tried to allocate ", bytes, " bytes"));
    }
    buffer.bytes = bytes;
  }
  return buffer.memory.get();
}

} // namespace ipex::onednn
