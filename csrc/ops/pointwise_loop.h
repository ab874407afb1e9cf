// PointwiseLoop: one element-wise function over up to 6 dimensions of strided operands, on all threads.
#pragma once

#include <c10/core/ScalarType.h>

#include <array>

#include "onednn/layout.h"
#include "ops/pointwise.h"

namespace ipex::ops {

struct PointwiseLoop {
  static constexpr int kMaxSources = 3;
  using Strides = std::array<int64_t, onednn::Layout::kMaxRank>;

  struct Operand {
    const void* data = nullptr;
    c10::ScalarType dtype = c10::ScalarType::Undefined; // f32, bf16, f16; bool for sources
    Strides strides{}; // in elements; 0 repeats
    float scalar = 0; // storage for a value that has no memory of its own
  };

  int rank = 0;
  std::array<int64_t, onednn::Layout::kMaxRank> sizes{};
  Operand destination; // written
  std::array<Operand, kMaxSources> sources;
  int source_count = 0;

  // Runs the loop; reorders and joins dimensions first.
  void run(const Pointwise& call);

 private:
  void simplify();
};

} // namespace ipex::ops
