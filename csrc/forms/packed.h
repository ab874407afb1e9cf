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

// `weights`, seen as `tensor` (its sizes, strides and dtype, possibly split or transposed), in the layout `wanted`, which
// may have more dimensions, of size 1. The
// copy stays on the storage of `weights` for the next call when `keep` is set, at most two per storage, unless another
// library or a CPU alias sees the memory. Throws E301.
PackedWeights pack(
    const at::Tensor& weights,
    const onednn::Layout& tensor,
    const dnnl::memory::desc& wanted,
    bool keep = true);

// Whether such a copy is there.
bool is_packed(const at::Tensor& weights, const onednn::Layout& tensor, const dnnl::memory::desc& wanted);

// A packed copy for one use: of what lies at `data` as `tensor` says.
PackedWeights pack_once(const void* data, const onednn::Layout& tensor, const dnnl::memory::desc& wanted);

enum class Reuse {
  kNever, // not weights
  kMaybe, // weights that may be written before they are read again, as in training: pack at the second reading
  kLikely, // pack at the first reading
};

// Whether to pack `weights` (seen as `tensor`) now. They must be all of their storage: of a storage with several weights
// too few copies are kept.
bool packing_pays(const at::Tensor& weights, const onednn::Layout& tensor, Reuse reuse);

} // namespace ipex::forms
