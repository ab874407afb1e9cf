// Pinned host memory for programs that ask for it. The device reads any host memory equally fast, so blocks are not
// locked in RAM; they are known by address, which is what `is_pinned()` and DataLoader's pin thread rely on.
#include "device/pinned_allocator.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "core/device.h"
#include "core/faults.h"
#include "core/memory_statistics.h"

namespace ipex {

namespace {

class BlockRegistry {
 public:
  static BlockRegistry& instance() {
    static auto* registry = new BlockRegistry();
    return *registry;
  }

  void add(const void* data, size_t size) {
    std::lock_guard<std::mutex> lock(mutex_);
    blocks_.emplace(static_cast<const char*>(data), size);
  }

  size_t remove(const void* data) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = blocks_.find(static_cast<const char*>(data));
    TORCH_INTERNAL_ASSERT(found != blocks_.end(), "pinned block released twice");
    const size_t size = found->second;
    blocks_.erase(found);
    return size;
  }

  bool contains(const void* data) {
    const auto* address = static_cast<const char*>(data);
    std::lock_guard<std::mutex> lock(mutex_);
    auto above = blocks_.upper_bound(address);
    if (above == blocks_.begin())
      return false;
    --above;
    return address < above->first + above->second;
  }

 private:
  // A child forked while another thread holds the mutex must find it free.
  BlockRegistry() {
    pthread_atfork(
        [] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); }, [] { instance().mutex_.unlock(); });
  }

  std::mutex mutex_;
  std::map<const char*, size_t> blocks_;
};

MemoryStatistics& statistics() {
  static auto* instance = new MemoryStatistics();
  return *instance;
}

void release(void* data) {
  if (data == nullptr)
    return;
  const size_t size = BlockRegistry::instance().remove(data);
  statistics().on_free(size);
  munmap(data, size);
}

class PinnedAllocator final : public at::HostAllocator {
 public:
  c10::DataPtr allocate(size_t nbytes) override {
    if (nbytes == 0)
      return {nullptr, nullptr, &release, kCpu};
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t size = (nbytes + page - 1) / page * page;
    const bool refused = size < nbytes || faults::strikes(faults::Site::kAllocation);
    void* data = refused ? MAP_FAILED : mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) {
      statistics().out_of_memory.fetch_add(1, std::memory_order_relaxed);
      raise(ErrorCode::E201, "pin_memory", c10::str("tried to allocate ", nbytes, " bytes of pinned memory"));
    }
    BlockRegistry::instance().add(data, size);
    statistics().on_allocate(size);
    return {data, data, &release, kCpu};
  }

  c10::DeleterFnPtr raw_deleter() const override {
    return &release;
  }

  void copy_data(void* dest, const void* src, std::size_t count) const override {
    default_copy_data(dest, src, count);
  }

  bool record_event(void*, void*, c10::Stream) override {
    return true; // copies have finished when they return
  }

  void empty_cache() override {} // nothing is cached

  at::HostStats get_stats() override {
    at::HostStats stats;
    statistics().bytes.write_to(stats.allocated_bytes);
    stats.active_bytes = stats.allocated_bytes;
    statistics().blocks.write_to(stats.allocations);
    stats.active_requests = stats.allocations;
    return stats;
  }

  void reset_accumulated_stats() override {
    statistics().reset_accumulated();
  }

  void reset_peak_stats() override {
    statistics().reset_peak();
  }
};

} // namespace

at::HostAllocator& pinned_allocator() {
  static auto* instance = new PinnedAllocator();
  return *instance;
}

bool is_pinned(const void* data) {
  return BlockRegistry::instance().contains(data);
}

static at::HostAllocatorRegistry<kDeviceType> register_pinned_allocator(&pinned_allocator());

} // namespace ipex
