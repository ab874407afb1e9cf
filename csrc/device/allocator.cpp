// The device allocator and the adoption of memory that CPU kernels allocated.
#include "device/allocator.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <malloc.h>

#include <fstream>
#include <string>

#include "device/device.h"
#include "device/memory_statistics.h"

namespace ipex {

namespace {

// Never destroyed: tensors of static duration may be released after it would have been.
MemoryStatistics& statistics() {
  static auto* instance = new MemoryStatistics();
  return *instance;
}

void report_to_profiler(void* data, int64_t change) {
  const auto total = static_cast<size_t>(statistics().bytes.current());
  c10::reportMemoryUsageToProfiler(data, change, total, total, kDevice);
}

void on_allocate(void* data) {
  const size_t size = malloc_usable_size(data);
  statistics().on_allocate(size);
  if (C10_UNLIKELY(c10::memoryProfilingEnabled()))
    report_to_profiler(data, static_cast<int64_t>(size));
}

void release(void* data) {
  if (data == nullptr)
    return;
  const size_t size = malloc_usable_size(data);
  statistics().on_free(size);
  if (C10_UNLIKELY(c10::memoryProfilingEnabled()))
    report_to_profiler(data, -static_cast<int64_t>(size));
  c10::free_cpu(data);
}

// Value in bytes of a `Key:   123 kB` line of /proc/meminfo; 0 when there is none.
size_t meminfo(const std::string& key) {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  size_t kilobytes = 0;
  while (file >> name >> kilobytes && std::getline(file, unit))
    if (name == key + ":")
      return kilobytes * 1024;
  return 0;
}

class HostDeviceAllocator final : public c10::DeviceAllocator {
 public:
  c10::DataPtr allocate(size_t nbytes) override {
    if (nbytes == 0)
      return {nullptr, nullptr, &release, kDevice};
    void* data = nullptr;
    try {
      data = c10::alloc_cpu(nbytes); // its only way to report exhaustion is to throw
    } catch (const c10::Error&) {
      statistics().out_of_memory.fetch_add(1, std::memory_order_relaxed);
      const auto current = statistics().bytes.current();
      c10::reportOutOfMemoryToProfiler(static_cast<int64_t>(nbytes), current, current, kDevice);
      raise(
          ErrorCode::E201,
          "allocate",
          c10::str(
              "tried to allocate ",
              nbytes,
              " bytes; ",
              current,
              " bytes are allocated on ipex, ",
              meminfo("MemAvailable"),
              " bytes are available on this machine"));
    }
    on_allocate(data);
    return {data, data, &release, kDevice};
  }

  c10::DeleterFnPtr raw_deleter() const override {
    return &release;
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
    statistics().bytes.write_to(stats.allocated_bytes[0]);
    stats.active_bytes = stats.reserved_bytes = stats.allocated_bytes;
    statistics().blocks.write_to(stats.allocation[0]);
    stats.active = stats.allocation;
    stats.num_ooms = statistics().out_of_memory.load(std::memory_order_relaxed);
    stats.num_device_alloc = stats.allocation[0].allocated;
    stats.num_device_free = stats.allocation[0].freed;
    return stats;
  }

  void resetAccumulatedStats(c10::DeviceIndex device) override {
    check_device_index(device, "reset_accumulated_memory_stats");
    statistics().reset_accumulated();
  }

  void resetPeakStats(c10::DeviceIndex device) override {
    check_device_index(device, "reset_peak_memory_stats");
    statistics().reset_peak();
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

void adopt(c10::DataPtr& data) {
  static const c10::DeleterFnPtr cpu_deleter = c10::GetDefaultCPUAllocator()->raw_deleter();
  data.unsafe_set_device(kDevice);
  if (data.get() == nullptr || data.get_context() != data.get())
    return;
  if (C10_UNLIKELY(c10::memoryProfilingEnabled())) {
    if (data.get_deleter() == cpu_deleter)
      c10::profiledCPUMemoryReporter().Delete(data.get());
  }
  if (data.compare_exchange_deleter(cpu_deleter, &release))
    on_allocate(data.get());
}

bool trim_memory() {
  return malloc_trim(0) != 0;
}

static c10::AllocatorRegisterer<kDeviceType> register_allocator(&device_allocator());

} // namespace ipex
