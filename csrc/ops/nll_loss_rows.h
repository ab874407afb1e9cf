// What both directions of the negative log likelihood loss need to know about their operands.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "aten/on_device.h"
#include "forms/operand.h"
#include "forms/storage.h"

namespace ipex::ops {

// The class and its weight per row; rows to be ignored have class -1.
struct NllTargets {
  std::vector<int64_t> classes;
  std::vector<float> weights;

  // Nothing when `src` is not a float32 matrix, or targets and weights do not fit it.
  static std::optional<NllTargets> of(
      const at::Tensor& src,
      const at::Tensor& target,
      const std::optional<at::Tensor>& weight,
      int64_t ignore_index) {
    const bool weighted = weight && weight->defined();
    if (!on_device(src) || !on_device(target) || !forms::readable(src) || src.scalar_type() != at::kFloat ||
        src.dim() != 2 || src.numel() == 0 || target.scalar_type() != at::kLong || target.dim() != 1 ||
        target.layout() != at::kStrided || target.size(0) != src.size(0) ||
        (weighted &&
         (!on_device(*weight) || !forms::readable(*weight) || weight->scalar_type() != at::kFloat ||
          weight->dim() != 1 || weight->size(0) != src.size(1) || !weight->is_contiguous())))
      return std::nullopt;
    const auto* from = static_cast<const int64_t*>(read_bytes(target));
    const auto* factors = weighted ? static_cast<const float*>(read_bytes(*weight)) : nullptr;
    NllTargets made;
    made.classes.resize(src.size(0));
    made.weights.resize(src.size(0));
    for (int64_t row = 0; row < src.size(0); ++row) {
      const int64_t c = from[row * target.stride(0)];
      const bool ignored = c == ignore_index;
      if (!ignored && (c < 0 || c >= src.size(1)))
        return std::nullopt;
      made.classes[row] = ignored ? -1 : c;
      made.weights[row] = ignored ? 0 : factors ? factors[c] : 1;
    }
    return made;
  }
};

} // namespace ipex::ops
