// What functions of one tensor, element by element, share: they run over memory in the order in which it lies.
#pragma once

#include <optional>

#include "forms/operand.h"
#include "ops/elementwise.h"

namespace ipex::ops {

struct Unary {
  forms::Operand src;
  onednn::Layout values; // all elements of src as one dimension
};

// `self` as a run of adjacent floating-point elements, in whatever order of dimensions; nothing when there are gaps or
// no elements.
inline std::optional<Unary> unary(const at::Tensor& self) {
  if (!forms::readable(self) || !self.is_floating_point() || self.numel() == 0 || !self.is_non_overlapping_and_dense())
    return std::nullopt;
  auto src = forms::read(self);
  if (!src.dense())
    return std::nullopt;
  auto values = onednn::Layout::dense(src.layout.dtype, {self.numel()});
  return Unary{std::move(src), values};
}

// A result with the strides that stock PyTorch gives it, lying in memory as the source does.
inline forms::Result unary_result(const at::Tensor& self, const Unary& operand) {
  return forms::make_result(self.sizes(), result_strides(self), operand.src.strides(), self.options());
}

} // namespace ipex::ops
