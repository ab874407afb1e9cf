// OpenValues: how to compute the values of a storage, for a result that nobody has read yet.
//
// A kernel may hand out its result *open*: metadata is final, values are computed at the first read (close). Whoever is
// about to write something that open values are computed of closes them first, so a program sees no difference.
#pragma once

#include <c10/core/StorageImpl.h>

#include <memory>

namespace ipex::forms {

struct Physical;

class OpenValues {
 public:
  explicit OpenValues(c10::weak_intrusive_ptr<c10::StorageImpl> target) : target_(std::move(target)) {}
  virtual ~OpenValues() = default;
  OpenValues(const OpenValues&) = delete;
  OpenValues& operator=(const OpenValues&) = delete;

  // Writes the values of `storage` where `physical` says and returns a bound of their magnitudes (Form::bound). Called
  // with the lock of the storage's form held; after an exception the values stay open. `is_read`: open values are to be
  // computed of these.
  virtual float compute(c10::StorageImpl& storage, const Physical& physical, bool is_read) = 0;

  // The storage whose values these are; null when it is gone.
  c10::intrusive_ptr<c10::StorageImpl> target() const {
    return target_.lock();
  }

  // Computes the values if they are still wanted and still open, and otherwise those that are to be computed through
  // them. Called without locks.
  virtual void close() = 0;

 private:
  c10::weak_intrusive_ptr<c10::StorageImpl> target_;
};

} // namespace ipex::forms
