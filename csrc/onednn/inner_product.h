// Spec of an inner product: rows times the transposed weight matrix.
#pragma once

#include "onednn/epilogue.h"
#include "onednn/layout.h"
#include "onednn/primitive_cache.h"

namespace ipex::onednn {

// DNNL_ARG_SRC [rows, in], DNNL_ARG_WEIGHTS [out, in], DNNL_ARG_BIAS [out] -> DNNL_ARG_DST [rows, out]; rows adjacent in
// memory, weights in the layout that Primitive::weights() tells.
struct InnerProduct {
  static constexpr const char* kName = "inner_product";
  int64_t rows;
  int64_t in;
  int64_t out;
  dnnl::memory::data_type dtype;
  Bias bias;
  Epilogue epilogue{};

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& common) const {
    const dnnl::primitive_attr attributes = epilogue.add_to(common, Layout::dense(dtype, {rows, out}));
    using tag = dnnl::memory::format_tag;
    return dnnl::inner_product_forward::primitive_desc(
        engine,
        dnnl::prop_kind::forward_inference,
        dnnl::memory::desc({rows, in}, dtype, tag::ab),
        dnnl::memory::desc({out, in}, dtype, tag::any),
        bias == Bias::kNone ? dnnl::memory::desc() : dnnl::memory::desc({out}, bias_type(bias, dtype), tag::a),
        dnnl::memory::desc({rows, out}, dtype, tag::ab),
        attributes,
        /*allow_empty=*/true);
  }
};

} // namespace ipex::onednn
