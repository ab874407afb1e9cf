// Packed weights: copies of parameters in the layout that a kernel wants, made once and dropped when somebody writes.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "forms/form.h"

namespace ipex::forms {

struct PackedWeights {
  const void* data = nullptr;
  std::shared_ptr<const Buffer> buffer; // keeps a copy alive while a kernel reads it
};

// `weights`, seen as `tensor` (its sizes, strides and dtype, possibly split or transposed), in the layout `wanted`. The
// copy stays on the storage of `weights` for the next call when `keep` is set, at most two per storage, unless another
// library or a CPU alias sees the memory. Throws E301.
PackedWeights pack(
    const at::Tensor& weights,
    const onednn::Layout& tensor,
    const dnnl::memory::desc& wanted,
    bool keep = true);

} // namespace ipex::forms
