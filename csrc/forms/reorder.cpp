// Reorders through oneDNN, and their count.
#include "forms/reorder.h"

#include "core/check.h"
#include "forms/statistics.h"
#include "onednn/engine.h"
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

} // namespace

void reorder(const onednn::Layout& src, const void* src_data, const onednn::Layout& dst, void* dst_data) {
  count_reorder(dst.elements() * dnnl::memory::data_type_size(dst.dtype));
  const auto kernel = onednn::find_any(Reorder{src, dst});
  TORCH_INTERNAL_ASSERT(kernel != nullptr);
  kernel->run({{DNNL_ARG_SRC, src_data}, {DNNL_ARG_DST, dst_data}});
}

void reorder(const dnnl::memory::desc& src, const void* src_data, const dnnl::memory::desc& dst, void* dst_data) {
  count_reorder(static_cast<int64_t>(dst.get_size()));
  try {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::engine& engine = onednn::engine();
    const dnnl::reorder::primitive_desc desc(engine, src, engine, dst, attributes);
    dnnl::memory from(src, engine, const_cast<void*>(src_data)), to(dst, engine, dst_data);
    const auto scratchpad_desc = desc.scratchpad_desc();
    dnnl::memory scratchpad(scratchpad_desc, engine, onednn::scratchpad(scratchpad_desc.get_size()));
    dnnl::reorder(desc).execute(
        onednn::stream(), {{DNNL_ARG_SRC, from}, {DNNL_ARG_DST, to}, {DNNL_ARG_SCRATCHPAD, scratchpad}});
  } catch (const dnnl::error& error) {
    raise(ErrorCode::E301, "reorder", c10::str("oneDNN failed: ", error.what()));
  }
}

} // namespace ipex::forms
