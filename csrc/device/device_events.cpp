// Learns from Kineto when torch.profiler runs, and serves ProfilerActivity.PrivateUse1: kernels as events of the device, in
// rows of their own of traces and tables.
//
// Kernels run in the calling thread, so an event of the device lies where the one of the CPU does, and its time is a part of
// the operator's CPU time. Each thread has a row.
#include <kineto/libkineto.h>
#include <kineto/output_base.h>
#include <torch/csrc/profiler/orchestration/observer.h>
#include <torch/csrc/profiler/standalone/privateuse1_profiler.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <set>

#include "core/device.h"
#include "core/profile.h"

namespace ipex {

namespace {

using libkineto::ActivityType;

struct Collected {
  profile::DeviceEvent event;
  int32_t thread;
  int32_t operation; // correlation id of the innermost observed operation
};

struct Collection {
  std::mutex mutex;
  std::vector<Collected> events;
};

Collection& collection() {
  static auto* instance = new Collection();
  return *instance;
}

// The operations that are observed on this thread, in the given session; older ones are left from a session that ended
// inside of an operation.
struct Operations {
  int64_t session = 0;
  std::vector<int32_t> ids;
};

std::atomic<int64_t> session_number{0};
thread_local Operations operations;

std::vector<int32_t>& observed() {
  if (const int64_t current = session_number.load(); operations.session != current)
    operations = {current, {}};
  return operations.ids;
}

void collect(profile::DeviceEvent event) {
  const auto& ids = observed();
  const std::lock_guard lock(collection().mutex);
  collection().events.push_back({std::move(event), gettid(), ids.empty() ? 0 : ids.back()});
}

std::string bracketed(const c10::DimVector& numbers) {
  std::string text = "[";
  for (const int64_t number : numbers)
    text.append(text.size() == 1 ? "" : ", ").append(std::to_string(number));
  return text + "]";
}

// One run of the profiler, which wants events of the device or not.
class Session final : public libkineto::IActivityProfilerSession {
 public:
  explicit Session(bool wants_events) : wants_events_(wants_events) {}

  ~Session() override {
    if (status_ == libkineto::TraceStatus::RECORDING) // cancelled
      stop();
  }

  void start() override {
    session_number.fetch_add(1);
    {
      const std::lock_guard lock(collection().mutex);
      collection().events.clear();
    }
    profile::profiler_started(wants_events_ ? &collect : nullptr);
    status_ = libkineto::TraceStatus::RECORDING;
  }

  void stop() override {
    profile::profiler_stopped();
    const std::lock_guard lock(collection().mutex);
    events_ = std::exchange(collection().events, {});
    status_ = libkineto::TraceStatus::PROCESSING;
  }

  std::vector<std::string> errors() override {
    return {};
  }

  void processTrace(libkineto::ActivityLogger& logger) override {
    processTrace(logger, [](int32_t) { return nullptr; }, 0, 0);
  }

  void processTrace(libkineto::ActivityLogger& logger, libkineto::getLinkedActivityCallback linked, int64_t, int64_t)
      override {
    buffer_->span = libkineto::TraceSpan(0, 0, "ipex");
    for (const Collected& collected : events_) {
      buffer_->emplace_activity(buffer_->span, ActivityType::CONCURRENT_KERNEL, collected.event.name);
      auto& activity = *buffer_->activities.back();
      fill(activity, collected);
      activity.linked = collected.operation == 0 ? nullptr : linked(collected.operation);
      activity.log(logger);
    }
    buffer_->span.opCount = static_cast<int>(events_.size());
    buffer_->gpuOpCount = -1;
  }

  std::unique_ptr<libkineto::DeviceInfo> getDeviceInfo() override {
    if (!wants_events_)
      return nullptr;
    constexpr int64_t kAfterProcesses = int64_t{1} << 24; // below the rows of threads, as other devices are
    return std::make_unique<libkineto::DeviceInfo>(
        libkineto::DeviceInfo{kDevice.index(), kAfterProcesses, "ipex", "ipex:0"});
  }

  std::vector<libkineto::ResourceInfo> getResourceInfos() override {
    std::set<int32_t> threads;
    for (const Collected& collected : events_)
      threads.insert(collected.thread);
    std::vector<libkineto::ResourceInfo> rows;
    for (const int32_t thread : threads)
      rows.push_back({thread, thread, kDevice.index(), "kernels of thread " + std::to_string(thread)});
    return rows;
  }

  std::unique_ptr<libkineto::CpuTraceBuffer> getTraceBuffer() override {
    return wants_events_ ? std::move(buffer_) : nullptr;
  }

  void pushCorrelationId(uint64_t id) override {
    observed().push_back(static_cast<int32_t>(id));
  }

  void popCorrelationId() override {
    if (!observed().empty())
      observed().pop_back();
  }

 private:
  static void fill(libkineto::GenericTraceActivity& activity, const Collected& collected) {
    activity.startTime = collected.event.start;
    activity.endTime = collected.event.end;
    activity.id = collected.operation;
    activity.device = kDevice.index();
    activity.resource = activity.threadId = collected.thread;
    activity.addMetadataQuoted("implementation", collected.event.implementation);
    std::string sizes, dtypes;
    for (const profile::Operand& operand : collected.event.operands) {
      sizes.append(sizes.empty() ? "" : ", ").append(bracketed(operand.sizes));
      dtypes.append(dtypes.empty() ? "\"" : ", \"").append(c10::toString(operand.dtype)).append("\"");
    }
    if (sizes.empty())
      return;
    activity.addMetadata("Input Dims", "[" + sizes + "]");
    activity.addMetadata("Input type", "[" + dtypes + "]");
  }

  const bool wants_events_;
  std::vector<Collected> events_;
  std::unique_ptr<libkineto::CpuTraceBuffer> buffer_ = std::make_unique<libkineto::CpuTraceBuffer>();
};

class Profiler final : public libkineto::IActivityProfiler {
 public:
  const std::string& name() const override {
    return name_;
  }

  const std::set<ActivityType>& availableActivities() const override {
    return activities_;
  }

  std::unique_ptr<libkineto::IActivityProfilerSession> configure(
      const std::set<ActivityType>& wanted,
      const libkineto::Config&) override {
    return std::make_unique<Session>(wanted.contains(ActivityType::CONCURRENT_KERNEL));
  }

  std::unique_ptr<libkineto::IActivityProfilerSession> configure(
      int64_t,
      int64_t,
      const std::set<ActivityType>& wanted,
      const libkineto::Config& config) override {
    return configure(wanted, config);
  }

 private:
  const std::string name_ = "ipex";
  const std::set<ActivityType> activities_ = {ActivityType::CONCURRENT_KERNEL};
};

const bool registered = [] {
  auto& registry = torch::profiler::impl::PrivateUse1ProfilerRegistry::instance();
  registry.registerFactory([] { return std::make_unique<Profiler>(); });
  // Otherwise PyTorch tells Kineto of it when a profile first asks for events of the device, and those of the CPU before
  // would miss ours.
  registry.onKinetoInit();
  // A profiler that is at work already has no session here: as if it never ended.
  if (torch::profiler::impl::profilerEnabled())
    profile::profiler_started(nullptr);
  return true;
}();

} // namespace

} // namespace ipex
