// Reorders through oneDNN, and their count.
#include "forms/reorder.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/profile.h"
#include "forms/block.h"
#include "forms/statistics.h"
#include "onednn/details.h"
#include "onednn/engine.h"
#include "onednn/faults.h"
#include "onednn/primitive_cache.h"
#include "onednn/scratchpad.h"

namespace ipex::forms {

namespace {

// DNNL_ARG_SRC -> DNNL_ARG_DST.
struct Reorder {
  static constexpr const char* kName = "reorder";
  onednn::Layout src;
  onednn::Layout dst;

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes) const {
    return dnnl::reorder::primitive_desc(engine, src.desc(), engine, dst.desc(), attributes, /*allow_empty=*/true);
  }
};

// Whether dimensions of `layout` run into each other, as those of Tensor.unfold do: oneDNN has no words for that.
// Repetition (stride 0) it knows.
bool overlaps(const onednn::Layout& layout) {
  c10::SmallVector<std::pair<int64_t, int64_t>, onednn::Layout::kMaxRank> dims; // stride, size
  for (int dim = 0; dim < layout.rank; ++dim)
    if (layout.sizes[dim] != 1 && layout.strides[dim] != 0)
      dims.emplace_back(layout.strides[dim], layout.sizes[dim]);
  std::sort(dims.begin(), dims.end());
  int64_t least = 1;
  for (const auto& [stride, size] : dims) {
    if (stride < least)
      return true;
    least = stride * size;
  }
  return false;
}

// Copies element by element to row-major order.
void copy_elements(const onednn::Layout& src, const void* from, void* to) {
  const size_t bytes = dnnl::memory::data_type_size(src.dtype);
  std::array<int64_t, onednn::Layout::kMaxRank> index{};
  int64_t place = 0;
  for (int64_t element = 0; element < src.elements(); ++element) {
    std::memcpy(static_cast<char*>(to) + element * bytes, static_cast<const char*>(from) + place * bytes, bytes);
    for (int dim = src.rank; dim-- > 0;) {
      place += src.strides[dim];
      if (++index[dim] < src.sizes[dim])
        break;
      place -= src.strides[dim] * src.sizes[dim];
      index[dim] = 0;
    }
  }
}

at::Tensor on_cpu(const onednn::Layout& layout, void* data) {
  return at::from_blob(data, layout.sizes_ref(), layout.strides_ref(), onednn::scalar_type(layout.dtype));
}

} // namespace

void reorder(const onednn::Layout& src, const void* src_data, const onednn::Layout& dst, void* dst_data) {
  if (C10_UNLIKELY(overlaps(src))) {
    const auto plain = onednn::Layout::dense(src.dtype, src.sizes_ref());
    const auto copy = allocate(src.elements() * dnnl::memory::data_type_size(src.dtype));
    copy_elements(src, src_data, copy.get());
    return reorder(plain, copy.get(), dst, dst_data);
  }
  count_reorder(dst.elements() * dnnl::memory::data_type_size(dst.dtype));
  if (const auto kernel = onednn::find_any(Reorder{src, dst}))
    return kernel->run({{DNNL_ARG_SRC, src_data}, {DNNL_ARG_DST, dst_data}});
  // oneDNN does not even move types that it has no arithmetic for on this machine.
  on_cpu(dst, dst_data).copy_(on_cpu(src, const_cast<void*>(src_data)));
}

void reorder(const dnnl::memory::desc& src, const void* src_data, const dnnl::memory::desc& dst, void* dst_data) {
  count_reorder(static_cast<int64_t>(dst.get_size()));
  try {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::engine& engine = onednn::engine();
    onednn::may_fail(faults::Site::kPrimitiveDescription);
    const dnnl::reorder::primitive_desc desc(engine, src, engine, dst, attributes);
    const profile::Kernel profiled("reorder", desc.impl_info_str(), [&] {
      return onednn::details_of(desc, {{DNNL_ARG_SRC, src_data}, {DNNL_ARG_DST, dst_data}});
    });
    dnnl::memory from(src, engine, const_cast<void*>(src_data)), to(dst, engine, dst_data);
    const auto scratchpad_desc = desc.scratchpad_desc();
    dnnl::memory scratchpad(scratchpad_desc, engine, onednn::scratchpad(scratchpad_desc.get_size()));
    onednn::may_fail(faults::Site::kPrimitive);
    const dnnl::reorder kernel(desc);
    onednn::may_fail(faults::Site::kExecution);
    kernel.execute(onednn::stream(), {{DNNL_ARG_SRC, from}, {DNNL_ARG_DST, to}, {DNNL_ARG_SCRATCHPAD, scratchpad}});
  } catch (const dnnl::error& error) {
    raise(ErrorCode::E301, "reorder", c10::str("oneDNN failed: ", error.what()));
  }
}

} // namespace ipex::forms
