// What element-wise operators share: which operands are one run of memory, and the strides of the result.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>

#include <optional>

#include "forms/operand.h"
#include "onednn/engine.h"
#include "onednn/layout.h"

namespace ipex::ops {

// All elements of `tensor` in the order of memory, as one dimension; nothing when there are gaps or no elements.
inline std::optional<onednn::Layout> values_of(const at::Tensor& tensor) {
  if (!onednn::supports(tensor.scalar_type()) || tensor.numel() == 0 || !tensor.is_non_overlapping_and_dense())
    return std::nullopt;
  return onednn::Layout::dense(onednn::data_type(tensor.scalar_type()), {tensor.numel()});
}

// The strides that stock PyTorch gives the result of an element-wise operator on `src`, which is dense.
inline c10::DimVector result_strides(const at::Tensor& src) {
  if (src.is_contiguous())
    return forms::row_major_strides(src.sizes());
  if (src.is_contiguous(at::MemoryFormat::ChannelsLast))
    return forms::channels_last_strides(src.sizes());
  return c10::DimVector(src.strides());
}

// An uninitialised result for an element-wise operator on `src`, with the strides that stock PyTorch gives it.
inline at::Tensor empty_result(const at::Tensor& src) {
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
    if (src.is_contiguous(format))
      return at::empty(src.sizes(), src.options(), format);
  return at::empty_strided(src.sizes(), src.strides(), src.options());
}

} // namespace ipex::ops
