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
  // In int8: types of src (s8 or u8) and dst (any) besides those of the weights (`dtype`, s8); one scale per output.
  Scales scales = Scales::kNone;
  dnnl::memory::data_type src = dtype;
  dnnl::memory::data_type dst = dtype;
  int32_t unused = 0; // keys have no padding

  void set_dst(dnnl::memory::data_type type) {
    dst = type;
  }

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& common) const {
    dnnl::primitive_attr attributes(epilogue.add_to(common, Layout::dense(dst, {rows, out})));
    add_scales(attributes, scales, 1 << 0);
    using tag = dnnl::memory::format_tag;
    return dnnl::inner_product_forward::primitive_desc(
        engine,
        dnnl::prop_kind::forward_inference,
        dnnl::memory::desc({rows, in}, src, tag::ab),
        dnnl::memory::desc({out, in}, dtype, tag::any),
        bias == Bias::kNone ? dnnl::memory::desc() : dnnl::memory::desc({out}, bias_type(bias, dtype), tag::a),
        dnnl::memory::desc({rows, out}, dst, tag::ab),
        attributes,
        /*allow_empty=*/true);
  }
};

} // namespace ipex::onednn
