// Collects rows of all threads.
#include "core/recorder.h"

#include <unistd.h>

#include <map>
#include <mutex>

#include "core/check.h"

namespace ipex::recorder {

std::atomic<bool> detail::open{false};

namespace {

thread_local Call* innermost = nullptr;

struct Table {
  std::mutex mutex;
  std::vector<Row> rows;
  std::vector<Event> events;
  std::chrono::steady_clock::time_point start;
  std::map<std::string, size_t> index;
};

Table& table() {
  static auto* instance = new Table();
  return *instance;
}

int64_t nanoseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

void add(const Row& row, std::chrono::steady_clock::time_point start, int64_t duration) {
  const std::string key = c10::str(
      row.op, '\n', row.path, '\n', row.reason, '\n', row.arguments, '\n', row.implementations, '\n', row.fused);
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  const auto [found, fresh] = all.index.try_emplace(key, all.rows.size());
  if (all.events.size() < kMostEvents)
    all.events.push_back({found->second, gettid(), nanoseconds(start - all.start), duration});
  if (fresh) {
    all.rows.push_back(row);
    return;
  }
  Row& sum = all.rows[found->second];
  sum.calls += row.calls;
  sum.nanoseconds += row.nanoseconds;
  sum.own_nanoseconds += row.own_nanoseconds;
  sum.reorders += row.reorders;
  sum.reordered_bytes += row.reordered_bytes;
  sum.materializations += row.materializations;
}

} // namespace

Call::Call(std::string op, std::string arguments, Time time)
    : outer_(innermost),
      time_(time),
      start_(std::chrono::steady_clock::now()) {
  row.op = std::move(op);
  row.arguments = std::move(arguments);
  row.path = "native";
  row.calls = 1;
  innermost = this;
}

Call::~Call() {
  const int64_t whole = nanoseconds(std::chrono::steady_clock::now() - start_);
  row.nanoseconds += whole; // less what was apart
  row.own_nanoseconds = whole - inside_;
  innermost = outer_;
  if (outer_ != nullptr)
    outer_->inside_ += whole;
  if (time_ == Time::kApart)
    for (Call* call = outer_; call != nullptr && (call->row.nanoseconds -= whole, call->time_ != Time::kApart);)
      call = call->outer_;
  if (active())
    add(row, start_, whole);
}

Call* Call::current() {
  return innermost;
}

void note_primitive(std::string_view name, std::string_view implementation) {
  if (innermost == nullptr)
    return;
  std::string& all = innermost->row.implementations;
  if (!all.empty())
    all += ", ";
  all.append(name).append(" ").append(implementation);
}

void note_path(std::string_view path) {
  if (C10_UNLIKELY(active()) && innermost != nullptr)
    innermost->row.path = path;
}

void note_reorder(int64_t bytes) {
  if (innermost == nullptr)
    return;
  ++innermost->row.reorders;
  innermost->row.reordered_bytes += bytes;
}

void note_materialization() {
  if (innermost != nullptr)
    ++innermost->row.materializations;
}

void start() {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  IPEX_CHECK(!active(), E103, "explain", "is open already; accepted: one recording at a time");
  all.rows.clear();
  all.events.clear();
  all.index.clear();
  all.start = std::chrono::steady_clock::now();
  detail::open.store(true);
}

Recording stop() {
  detail::open.store(false);
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  all.index.clear();
  return {std::exchange(all.rows, {}), std::exchange(all.events, {})};
}

} // namespace ipex::recorder
