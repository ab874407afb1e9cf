// Copies values from one layout into another.
#pragma once

#include "onednn/layout.h"

namespace ipex::forms {

// `src` and `dst` have the same sizes; dtypes may differ. Counted (statistics.h). Throws E301.
void reorder(const onednn::Layout& src, const void* src_data, const onednn::Layout& dst, void* dst_data);

// The same for layouts that only oneDNN can describe.
void reorder(const dnnl::memory::desc& src, const void* src_data, const dnnl::memory::desc& dst, void* dst_data);

} // namespace ipex::forms
