// A least-recently-used cache in shards, each with its lock, so that threads rarely wait for each other.
#include "onednn/primitive_cache.h"

#include <ATen/Parallel.h>

#include <array>
#include <atomic>
#include <cstring>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/check.h"
#include "onednn/engine.h"
#include "onednn/faults.h"

namespace ipex::onednn {

namespace {

constexpr size_t kShards = 8;
constexpr int64_t kDefaultCapacity = 1024;

struct Key {
  detail::SpecBytes spec;
  int64_t threads;
  uint64_t hash;
};

// Multiply and fold, eight bytes at a time: the whole product decides, so every input bit reaches every result bit.
uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a ^ 0x9E3779B97F4A7C15) * (b ^ 0xD1B54A32D192ED03);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t hash_of(const detail::SpecBytes& spec, int64_t threads) {
  uint64_t hash = mix(reinterpret_cast<uintptr_t>(spec.type), static_cast<uint64_t>(threads) << 32 | spec.size);
  const char* next = static_cast<const char*>(spec.data);
  size_t left = spec.size;
  for (; left >= 16; left -= 16, next += 16) {
    uint64_t words[2];
    std::memcpy(words, next, 16);
    hash = mix(hash ^ words[0], words[1]);
  }
  uint64_t tail[2] = {};
  std::memcpy(tail, next, left);
  return mix(hash ^ tail[0], tail[1]);
}

struct Hash {
  size_t operator()(const Key& key) const {
    return key.hash;
  }
};

struct Equal {
  bool operator()(const Key& a, const Key& b) const {
    return a.hash == b.hash && a.spec.type == b.spec.type && a.threads == b.threads && a.spec.size == b.spec.size &&
        std::memcmp(a.spec.data, b.spec.data, a.spec.size) == 0;
  }
};

struct Entry {
  std::vector<char> bytes; // what the key points into
  Key key;
  std::shared_ptr<const Primitive> primitive; // null: known to be unusable
};

class Shard {
 public:
  // Whether `key` is known; if so, `result` is its primitive.
  bool find(const Key& key, std::shared_ptr<const Primitive>& result) {
    const std::lock_guard lock(mutex_);
    const auto found = index_.find(key);
    if (found == index_.end()) {
      ++misses_;
      return false;
    }
    ++hits_;
    entries_.splice(entries_.begin(), entries_, found->second);
    result = found->second->primitive;
    return true;
  }

  void insert(const Key& key, std::shared_ptr<const Primitive> primitive) {
    const auto* data = static_cast<const char*>(key.spec.data);
    std::list<Entry> added;
    added.push_back({std::vector<char>(data, data + key.spec.size), key, std::move(primitive)});
    added.front().key.spec.data = added.front().bytes.data();
    const std::lock_guard lock(mutex_);
    if (capacity_ == 0 || index_.contains(key)) // another thread was faster
      return;
    entries_.splice(entries_.begin(), added);
    index_.emplace(entries_.front().key, entries_.begin());
    drop_excess();
  }

  void set_capacity(size_t capacity) {
    const std::lock_guard lock(mutex_);
    capacity_ = capacity;
    drop_excess();
  }

  void add_to(PrimitiveCacheStatistics& statistics) {
    const std::lock_guard lock(mutex_);
    statistics.hits += hits_;
    statistics.misses += misses_;
    statistics.size += static_cast<int64_t>(entries_.size());
    statistics.capacity += static_cast<int64_t>(capacity_);
  }

 private:
  void drop_excess() {
    for (; entries_.size() > capacity_; entries_.pop_back())
      index_.erase(entries_.back().key);
  }

  std::mutex mutex_;
  std::list<Entry> entries_; // most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, Hash, Equal> index_;
  size_t capacity_ = kDefaultCapacity / kShards;
  int64_t hits_ = 0;
  int64_t misses_ = 0;
};

std::array<Shard, kShards>& shards() {
  // Never destroyed: other threads may still compute while the process ends.
  static auto* shards = new std::array<Shard, kShards>();
  return *shards;
}

std::atomic<int64_t> lasting{0}, most_lasting{4096};

// Whether one more primitive may be made whose code stays until the process ends.
bool may_last() {
  if (lasting.load(std::memory_order_relaxed) < most_lasting.load(std::memory_order_relaxed))
    return true;
  TORCH_WARN_ONCE(
      "[torch_ipex_device] ",
      lasting.load(std::memory_order_relaxed),
      " convolutions with an activation inside have been compiled, whose code oneDNN 3.2 keeps until the process ends. "
      "Activations of further sizes of images run apart, somewhat slower; images padded to a few sizes avoid that");
  return false;
}

std::shared_ptr<const Primitive> create(const detail::SpecBytes& spec, detail::Describe describe) {
  if (spec.lasts && !may_last())
    return nullptr;
  dnnl::primitive_desc_base desc;
  try {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
    may_fail(faults::Site::kPrimitiveDescription);
    desc = describe(engine(), attributes);
  } catch (const dnnl::error& error) {
    raise(ErrorCode::E301, spec.name, c10::str("oneDNN rejected the description: ", error.what()));
  }
  auto primitive = std::make_shared<const Primitive>(spec.name, desc, spec.accept_reference);
  if (!primitive->usable())
    return nullptr;
  if (spec.lasts)
    lasting.fetch_add(1, std::memory_order_relaxed);
  return primitive;
}

} // namespace

PrimitiveCacheStatistics primitive_cache_statistics() {
  PrimitiveCacheStatistics statistics;
  for (Shard& shard : shards())
    shard.add_to(statistics);
  statistics.lasting = lasting.load(std::memory_order_relaxed);
  return statistics;
}

void set_most_lasting_primitives(int64_t count) {
  IPEX_CHECK(count >= 0, E103, "set_most_lasting_primitives", "got ", count, "; accepted: 0 or more primitives");
  most_lasting.store(count, std::memory_order_relaxed);
}

void set_primitive_cache_capacity(int64_t capacity) {
  IPEX_CHECK(capacity >= 0, E103, "set_primitive_cache_capacity", "got ", capacity, "; accepted: 0 or more primitives");
  // Spread so that the sum is exact.
  for (size_t i = 0; i < kShards; ++i)
    shards()[i].set_capacity((static_cast<size_t>(capacity) + kShards - 1 - i) / kShards);
}

std::shared_ptr<const Primitive> detail::find(const SpecBytes& spec, Describe describe) {
  const int64_t threads = at::get_num_threads();
  const Key key{spec, threads, hash_of(spec, threads)};
  Shard& shard = shards()[key.hash >> 61];
  std::shared_ptr<const Primitive> result;
  if (!shard.find(key, result)) {
    result = create(spec, describe); // without the lock: compiling takes milliseconds
    shard.insert(key, result);
  }
  return result;
}

} // namespace ipex::onednn
