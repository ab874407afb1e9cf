// The shape that the softmax family shares: a tensor seen as rows of adjacent channels.
#pragma once

#include <ATen/WrapDimUtils.h>
#include <ATen/core/Tensor.h>

#include "onednn/engine.h"
#include "onednn/layout.h"

namespace ipex::ops {

// [rows, channels] of `tensor` made contiguous, with the channels along `dim`; nothing when there are no elements, when
// `dim` is out of range, or when other elements lie between two channels (oneDNN has no vectorised kernel for that).
inline std::optional<onednn::Layout> softmax_rows(const at::Tensor& tensor, int64_t dim) {
  if (!onednn::supports(tensor.scalar_type()) || !tensor.is_floating_point() || tensor.numel() == 0)
    return std::nullopt;
  const int64_t rank = std::max<int64_t>(tensor.dim(), 1);
  if (dim < -rank || dim >= rank)
    return std::nullopt;
  const int64_t wrapped = dim < 0 ? dim + rank : dim;
  for (int64_t inner = wrapped + 1; inner < rank; ++inner)
    if (tensor.size(inner) != 1)
      return std::nullopt;
  const int64_t channels = tensor.dim() == 0 ? 1 : tensor.size(wrapped);
  return onednn::Layout::dense(onednn::data_type(tensor.scalar_type()), {tensor.numel() / channels, channels});
}

} // namespace ipex::ops
