// Bounds of magnitudes: what proves that no value of a primitive is infinite or NaN, before it has run.
#pragma once

#include <ATen/core/Tensor.h>

#include "forms/operand.h"
#include "forms/packed.h"

namespace ipex::fusion {

// The largest magnitude of `count` float32 values; infinity when one is NaN or infinite.
float largest_magnitude(const void* values, int64_t count);

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
float largest_magnitude(const forms::PackedWeights& weights);

// A bound of sums of `products` products of a value of `src` and a weight of magnitude up to `largest_weight` each, and a
// value of `bias`. Infinity when there is none, or when it is not `needed` and would have to be looked for.
double bound_of_sums(const Held& src, float largest_weight, int64_t products, c10::ArrayRef<float> bias, bool needed);

} // namespace ipex::fusion
