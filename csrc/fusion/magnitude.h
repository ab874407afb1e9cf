// Bounds of magnitudes: what proves that no value of a primitive is infinite or NaN, before it has run.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "forms/operand.h"
#include "forms/packed.h"

namespace ipex::fusion {

// The largest magnitude of `count` values of `dtype`, f32 or bf16; infinity when one is NaN or infinite.
float largest_magnitude(const void* values, int64_t count, dnnl::memory::data_type dtype);

// Values that an open primitive reads: they stay as they are until it has run, because they are a copy, or because the
// storage's form says when somebody is about to write them.
struct Held {
  forms::Operand operand; // dense
  c10::Storage storage; // null: a copy

  // A bound of the magnitudes: one that is known already, unless `exactly`, or else the largest one.
  float bound(bool exactly = false) const;

  // The one that is known already; infinity when there is none.
  float known_bound() const;
};

// The same of packed weights, found once.
float largest_magnitude(const forms::PackedWeights& weights, dnnl::memory::data_type dtype);

// The values of a bias as they are now.
class HeldBias {
 public:
  HeldBias() = default;
  // `values`: adjacent, f32 or bf16.
  explicit HeldBias(const forms::Operand& values);

  // Null when there is none.
  const void* data() const {
    return bytes_.empty() ? nullptr : bytes_.data();
  }

  // Infinity when one is NaN or infinite, 0 when there is none.
  float largest_magnitude() const;

 private:
  std::vector<char> bytes_;
  dnnl::memory::data_type dtype_ = dnnl::memory::data_type::f32;
};

// A bound of sums of `products` products of a value of `src` and a weight of magnitude up to `largest_weight` each, and a
// value of `bias`. Infinity when there is none, or when it is not `needed` and would have to be looked for.
double bound_of_sums(const Held& src, float largest_weight, int64_t products, const HeldBias& bias, bool needed);

} // namespace ipex::fusion
