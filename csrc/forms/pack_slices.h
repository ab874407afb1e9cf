// Packing large weights without ever holding them twice.
#pragma once

#include <c10/util/FunctionRef.h>

#include "onednn/layout.h"

namespace ipex::forms {

// Copies `src`, seen as `tensor`, into the layout `wanted` at `dst`, some rows of the first dimension at a time, and calls
// used_up(first byte, last byte) for bytes of `src` that are not needed any more. False, with nothing done, when the
// weights are small or the layouts do not allow it. Throws E301; the bytes of `src` are whole then.
bool pack_in_slices(
    const onednn::Layout& tensor,
    void* src,
    const dnnl::memory::desc& wanted,
    void* dst,
    c10::function_ref<void(size_t, size_t)> used_up);

} // namespace ipex::forms
