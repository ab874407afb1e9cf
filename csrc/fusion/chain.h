// Chain: a primitive and the post-ops after it, as what computes the values of an open result.
//
// Locks: a chain is computed with the lock of its result's form held, and takes those of older results only.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "forms/form.h"
#include "fusion/open_primitive.h"

namespace ipex::fusion {

struct Counters {
  std::atomic<int64_t> opened{0}, extended{0}, fused{0}, applied{0}; // see Statistics
  std::atomic<int64_t> living{0}; // chains, so that operators need not look while there is none
};
Counters& counters();

class Chain final : public forms::OpenValues {
 public:
  static constexpr size_t kMostSteps = 8;

  Chain(
      c10::weak_intrusive_ptr<c10::StorageImpl> target,
      std::shared_ptr<const Base> base,
      std::shared_ptr<Chain> parent,
      const onednn::Layout& plain)
      : OpenValues(std::move(target)),
        base_(std::move(base)),
        parent_(std::move(parent)),
        plain_(plain),
        reshaped_(parent_ && (parent_->reshaped_ || parent_->plain_.sizes_ref() != plain.sizes_ref())),
        length_(parent_ ? parent_->length_ : 0) {
    counters().living.fetch_add(1, std::memory_order_relaxed);
  }
  ~Chain() override {
    counters().living.fetch_sub(1, std::memory_order_relaxed);
  }

  float compute(c10::StorageImpl& storage, const forms::Physical& physical, bool is_read) override;

  void close() override;

  void add_child(const std::shared_ptr<Chain>& child) {
    const std::lock_guard lock(mutex_);
    std::erase_if(children_, [](const auto& other) { return other.expired(); });
    children_.push_back(child);
  }

  // With the lock of the result's form held, or before anybody else knows the chain, which (or whose parent) is not full.
  void append(PostOp step) {
    steps_.push_back(std::move(step));
    ++length_;
  }

  // Has `observer` called with the values as they are now. As append().
  void observe(Observer observer) {
    const std::lock_guard lock(mutex_);
    observers_.push_back({steps_.size(), std::move(observer)});
  }

  bool is_bare() const {
    return parent_ == nullptr && steps_.empty();
  }

  bool is_full() const {
    return length_ == kMostSteps;
  }

  // Whether a step took its values in other sizes than the base has.
  bool is_reshaped() const {
    return reshaped_;
  }

  const std::shared_ptr<const Base>& base() const {
    return base_;
  }

  const std::shared_ptr<Chain>& parent() const {
    return parent_;
  }

 private:
  using Storage = c10::intrusive_ptr<c10::StorageImpl>;

  // The storage of a result whose values exist or are to exist; null when they need not.
  Storage available() const {
    if (base_->may_repeat() && !computed_.load())
      return {};
    if (auto storage = target())
      return storage;
    const std::lock_guard lock(mutex_);
    return kept_;
  }

  // Its values in the order of `layout`.
  forms::Operand values(Storage storage, const onednn::Layout& layout) const;

  struct Observation {
    size_t steps; // of this chain, before it
    Observer observer;
  };

  // The observations that are still to be made.
  std::vector<Observation> take_observers() const {
    const std::lock_guard lock(mutex_);
    return std::exchange(observers_, {});
  }

  // Takes those back that were not made.
  void return_observers(const std::vector<Observation>& left) const {
    const std::lock_guard lock(mutex_);
    for (const Observation& observation : left)
      if (observation.observer)
        observers_.push_back(observation);
  }

  // Computes the values of `links`, youngest first, step by step, if somebody wants to see them. `source`: what the oldest
  // one's first step takes; null: the base's.
  static void show(c10::ArrayRef<const Chain*> links, const forms::Operand* source, const onednn::Layout& layout);

  const std::shared_ptr<const Base> base_;
  const std::shared_ptr<Chain> parent_; // whose result the first step takes; null: the base's
  const onednn::Layout plain_;
  const bool reshaped_;
  std::vector<PostOp> steps_;
  size_t length_; // steps from the base on
  mutable std::mutex mutex_;
  mutable std::vector<Observation> observers_;
  std::vector<std::weak_ptr<Chain>> children_; // whose parent this is
  std::atomic<bool> computed_{false};
  Storage kept_; // the result, once it is computed and while another chain is to be computed of it
};

} // namespace ipex::fusion
