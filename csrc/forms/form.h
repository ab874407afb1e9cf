// Form: how the storage of an ipex tensor holds its values, when that is more than the plain bytes.
//
// The values exist in up to three places:
//   plain      the storage's own bytes, exactly what sizes, strides and dtype say
//   physical   a kernel's result in another dimension order (or type): the only copy until somebody needs plain bytes
//   caches     packed copies of the plain values, for kernels that read the same weights again and again
//   narrow     the values in bfloat16 (narrow.h): a cache too, or what a kernel computed and the only copy
//   wide       of a bfloat16 storage, the values in float32: a cache
//   quantized  the values in int8 (quantized.h): a cache, or what a kernel computed and the only copy
// Values that nobody has asked for yet may be open (open_values.h): then `physical` says where they will lie. Otherwise
// `plain` or `physical` is always valid, and both may be. A write to the plain bytes drops physical and caches. Two
// exceptions: when a packed copy holds every value, the plain bytes of a weight may be given back to the system and are
// filled from the copy when somebody needs them; their address stays. And what was computed in bfloat16 is made wide when
// somebody reads it so.
//
// Worked example. A convolution makes y of sizes [1, 64, 8, 8], which stock PyTorch gives strides [4096, 64, 8, 1]; the
// kernel wrote strides [4096, 1, 512, 64]. The form records both. y[:, 32:] has offset 2048 and the same strides; a
// kernel reads it at physical offset 32 with strides [4096, 1, 512, 64] (see translate.h). y.view(1, 4096) cannot be
// translated: the plain bytes are made, and kept beside the physical ones until somebody writes.
//
// Every member is for the holder of the lock. A pointer into `physical` stays good while the storage is not written;
// plain bytes that are made later lie elsewhere, so a thread that reads the physical ones is not disturbed.
#pragma once

#include <c10/core/Storage.h>
#include <c10/core/StorageImpl.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "forms/block.h"
#include "forms/open_values.h"
#include "forms/quantization.h"
#include "onednn/layout.h"

namespace ipex::forms {

// Memory that a cache owns, counted as device memory; kernels hold on to it while they read it.
struct Buffer {
  c10::DataPtr data;
  size_t nbytes = 0;
  mutable std::atomic<float> magnitude{-1}; // the largest one, once somebody has looked; float32 only
  std::vector<float> scales; // of quantized weights: per output channel, or one
  std::vector<int32_t> sums; // of the quantized weights of each output channel
  mutable std::atomic<std::shared_ptr<const Buffer>> raised; // int8 values + 128 as uint8, once somebody has asked
};

// Values in an order of dimensions of their own.
struct Physical {
  onednn::Layout plain; // what the whole storage is as a tensor: the strides that PyTorch sees, plain dtype
  onednn::Layout layout; // the same sizes as they lie in memory
  const void* data = nullptr;
  c10::DataPtr owner; // set once the storage's own bytes are plain
  float scale = 1; // of s8 and u8 values
};

// Values in int8.
struct Quantized {
  Quantization as;
  onednn::Layout plain; // as in Physical: float32
  onednn::Layout layout; // the same sizes as they lie in memory: s8 or u8
  std::shared_ptr<const Buffer> buffer; // never written again
};

// The operator that made a result while an INT8 recipe was calibrated: its recipe and entry.
struct Origin {
  const void* recipe = nullptr;
  int64_t entry = -1;
};

// A copy of a tensor over the storage, in a layout that oneDNN chose.
struct Packed {
  bool whole; // the tensor covers the storage, so the plain bytes could be made of the copy
  int64_t offset; // of the tensor, in elements
  onednn::Layout tensor; // its sizes, strides and dtype
  dnnl::memory::desc desc; // the copy
  std::shared_ptr<const Buffer> buffer;
  bool per_channel = true; // of weights in int8: whether each output channel has a scale
};

class Form {
 public:
  // The form of `storage`; null when it has none.
  static Form* of(const c10::StorageImpl& storage) {
    const Block* block = block_of(storage.data_ptr());
    return block ? block->form.load(std::memory_order_acquire) : nullptr;
  }

  // The same, made when there is none. Null for memory that cannot carry one.
  static Form* make(c10::StorageImpl& storage);

  // Holds the lock. What closed meanwhile is destroyed after it: the last reference to memory that Python knows waits for
  // the interpreter's lock, whose holder may be waiting for this one.
  class Lock {
   public:
    explicit Lock(Form& form) : form_(form) {
      form.mutex_.lock();
    }
    ~Lock() {
      const std::shared_ptr<OpenValues> finished = std::move(form_.finished_);
      form_.mutex_.unlock();
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    Form& form_;
  };

  // Watches the fresh `storage`, unless it is small, from its birth, so that its plain bytes may be given back later:
  // nobody can have got a pointer to them unseen. For storages that may become weights.
  static void watch_from_birth(c10::StorageImpl& storage) {
    constexpr size_t kSmallest = size_t{64} << 10; // below it giving plain bytes back would save too little
    if (C10_UNLIKELY(storage.nbytes() >= kSmallest))
      watch_fresh(storage);
  }

  // Says that the fresh `storage`, whose only user the caller is, will hold its values as `physical` says.
  static void install(c10::StorageImpl& storage, const onednn::Layout& plain, const onednn::Layout& layout);

  // Says that the fresh `storage`, whose only user the caller is, will hold what `values` compute.
  static void install_open(
      c10::StorageImpl& storage,
      const onednn::Layout& plain,
      const onednn::Layout& layout,
      std::shared_ptr<OpenValues> values);

  // Says that the fresh `storage`, which has a header and no bytes, will show the values of `narrow`, a bfloat16 storage.
  static void install_narrow(c10::StorageImpl& storage, const c10::Storage& narrow);

  // Says that the fresh `storage`, which has a header and no bytes, will hold `values`.
  static void install_quantized(c10::StorageImpl& storage, Quantized values);

  // Computes the values, which are open and due, as int8. Called with the lock held.
  void close_quantized(c10::StorageImpl& storage);

  // Makes the quantized values the only ones. Called with the lock held.
  void drop_floats();

  // Makes float32 values, plain or physical, if there are only narrow or quantized ones. Called with the lock held.
  void widen(c10::StorageImpl& storage);

  // Computes the narrow values if they are open. Called with the lock held.
  void close_narrow();

  // Says that a kernel wrote into `narrow`. Called with the lock held.
  void values_changed_narrow(c10::StorageImpl& storage);

  // Computes the values if they are open. Called with the lock held.
  void close(c10::StorageImpl& storage);

  // Notes that `values` are computed of this storage's. Called with the lock held.
  void add_dependent(const std::shared_ptr<OpenValues>& values);
  bool has_dependents() const;

  // Computes the open values that depend on this storage's, which are about to be written. Called without the lock.
  void close_dependents();

  // Makes the plain bytes valid; whatever else there is stays. Called with the lock held.
  void make_plain(c10::StorageImpl& storage);

  // Drops caches and, when the plain bytes are valid, the physical ones. Called with the lock held.
  void drop_copies();

  // Asks PyTorch to call materialize before the next write to `storage`. Called with the lock held.
  static void watch(c10::StorageImpl& storage);

  // Gives the plain bytes back to the system if a packed copy holds every value and nobody can be reading them. Called
  // with the lock held.
  void release_plain(c10::StorageImpl& storage);

  // Whether release_plain would do it, given such a copy.
  bool may_release() const;

  // Gives the whole pages among these plain bytes, whose values a packed copy holds, back to the system; returns how many
  // bytes that are.
  static size_t release_bytes(c10::StorageImpl& storage, size_t first, size_t last);

  bool plain = true;
  bool releasable = false; // nobody has, or ever had, a pointer to the plain bytes that outlives a Pin
  bool exposed = true; // somebody may have a pointer to the bytes, and write through it unseen
  int32_t refills = 0; // how often plain bytes were given back in vain
  std::atomic<int32_t> readers{0}; // pins; changed with the lock held, or downwards
  std::optional<Physical> physical;
  c10::Storage narrow;
  bool only_narrow = false; // no float32 values
  c10::Storage wide;
  std::optional<Quantized> quantized;
  bool only_quantized = false; // no float32 values
  bool is_rounded = false; // the values, in whatever type, are those of int8
  std::optional<Quantization> due; // of a result of an operator in int8: how a kernel that reads int8 rounds it
  Origin origin;
  bool computed_narrow = false; // the values were last computed in bfloat16, whatever there is of them now
  std::vector<Packed> packed;
  std::vector<onednn::Layout> read_once; // as what kernels have read the values since the last write, unpacked
  std::shared_ptr<OpenValues> open; // null: the values are there
  static constexpr float kUnknown = -1;
  float bound = kUnknown; // no magnitude is larger, and all are finite, since the last write
  uint64_t generation = 0; // writes so far that dropped something
  Block* owner = nullptr; // the block that holds the storage's reference to the form

  void retain() {
    references_.fetch_add(1, std::memory_order_relaxed);
  }
  void release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete this;
  }

 private:
  ~Form();
  static void watch_fresh(c10::StorageImpl& storage);
  void refill(c10::StorageImpl& storage);
  void widen_narrow(c10::StorageImpl& storage);
  void dequantize(c10::StorageImpl& storage);
  void reseat(c10::StorageImpl& storage, c10::DataPtr bytes, c10::DataPtr& before);

  std::mutex mutex_;
  std::atomic<int32_t> references_{1};
  size_t released_bytes_ = 0;
  std::vector<c10::DataPtr> retired_; // blocks the storage had; threads may look for the form through them
  std::shared_ptr<OpenValues> finished_; // by the holder of the lock
  std::vector<std::weak_ptr<OpenValues>> dependents_;
  std::atomic<bool> has_dependents_{false}; // no false negatives; read without the lock
};

// Computes the values of `storage` if they are open. Called without its lock.
void close(c10::StorageImpl& storage);

// While it lives, the plain bytes of a storage stay where they are and filled.
class Pin {
 public:
  Pin() = default;
  // Called with the lock of `form` held.
  explicit Pin(Form* form) : form_(form) {
    form->retain();
    form->readers.fetch_add(1, std::memory_order_relaxed);
  }
  // Needs no lock: while `other` lives nothing can be given back.
  Pin(const Pin& other) : form_(other.form_) {
    if (form_ == nullptr)
      return;
    form_->retain();
    form_->readers.fetch_add(1, std::memory_order_relaxed);
  }
  Pin(Pin&& other) noexcept : form_(std::exchange(other.form_, nullptr)) {}
  Pin& operator=(Pin other) noexcept {
    std::swap(form_, other.form_);
    return *this;
  }
  ~Pin() {
    if (form_ == nullptr)
      return;
    form_->readers.fetch_sub(1, std::memory_order_release);
    form_->release();
  }

 private:
  Form* form_ = nullptr;
};

// What PyTorch calls before anybody gets a pointer to write through: plain bytes, and nothing beside them.
void materialize(c10::StorageImpl* storage);

} // namespace ipex::forms
