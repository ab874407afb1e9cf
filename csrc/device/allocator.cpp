// The device allocator: PyTorch's interface to blocks and their statistics.
#include "device/allocator.h"

#include <malloc.h>

#include <algorithm>

#include "core/device.h"
#include "core/host_memory.h"
#include "core/memory_pool.h"
#include "core/memory_statistics.h"
#include "forms/block.h"

namespace ipex {

namespace {

class HostDeviceAllocator final : public c10::DeviceAllocator {
 public:
  c10::DataPtr allocate(size_t nbytes) override {
    return forms::allocate(nbytes);
  }

  c10::DeleterFnPtr raw_deleter() const override {
    return &forms::release_own;
  }

  void copy_data(void* dest, const void* src, std::size_t count) const override {
    default_copy_data(dest, src, count);
  }

  bool initialized() override {
    return true;
  }

  void emptyCache(c10::MempoolId_t) override {
    trim_memory();
  }

  void recordStream(const c10::DataPtr&, c10::Stream) override {} // one stream in program order

  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex device) override {
    check_device_index(device, "memory_stats");
    c10::CachingDeviceAllocator::DeviceStats stats;
    forms::statistics().bytes.write_to(stats.allocated_bytes[0]);
    stats.active_bytes = stats.reserved_bytes = stats.allocated_bytes;
    const PoolStatistics pool = pool_statistics();
    auto& reserved = stats.reserved_bytes[0];
    reserved.current += static_cast<int64_t>(pool.waiting);
    reserved.peak = std::max({reserved.peak, reserved.current, static_cast<int64_t>(pool.most)});
    forms::statistics().blocks.write_to(stats.allocation[0]);
    stats.active = stats.allocation;
    stats.num_ooms = forms::statistics().out_of_memory.load(std::memory_order_relaxed);
    stats.num_device_alloc = stats.allocation[0].allocated;
    stats.num_device_free = stats.allocation[0].freed;
    return stats;
  }

  void resetAccumulatedStats(c10::DeviceIndex device) override {
    check_device_index(device, "reset_accumulated_memory_stats");
    forms::statistics().reset_accumulated();
  }

  void resetPeakStats(c10::DeviceIndex device) override {
    check_device_index(device, "reset_peak_memory_stats");
    forms::statistics().reset_peak();
    reset_pool_peak();
  }

  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex device) override {
    check_device_index(device, "mem_get_info");
    return {meminfo("MemAvailable"), meminfo("MemTotal")};
  }
};

} // namespace

c10::DeviceAllocator& device_allocator() {
  static auto* instance = new HostDeviceAllocator();
  return *instance;
}

bool trim_memory() {
  release_waiting_chunks();
  return malloc_trim(0) != 0;
}

static c10::AllocatorRegisterer<kDeviceType> register_allocator(&device_allocator());

} // namespace ipex
