// Specs of element-wise functions of one operand over adjacent elements, both directions.
#pragma once

#include "onednn/layout.h"
#include "onednn/primitive_cache.h"

namespace ipex::onednn {

// DNNL_ARG_SRC -> DNNL_ARG_DST.
struct EltwiseForward {
  static constexpr const char* kName = "eltwise";
  dnnl::algorithm algorithm;
  FloatBits alpha;
  FloatBits beta;
  int32_t unused = 0; // fills the gap before `values`: keys have no padding
  Layout values;

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes) const {
    const auto desc = values.desc();
    return dnnl::eltwise_forward::primitive_desc(
        engine,
        dnnl::prop_kind::forward_training,
        algorithm,
        desc,
        desc,
        alpha,
        beta,
        attributes,
        /*allow_empty=*/true);
  }
};

// DNNL_ARG_SRC, DNNL_ARG_DIFF_DST -> DNNL_ARG_DIFF_SRC.
struct EltwiseBackward {
  static constexpr const char* kName = "eltwise_backward";
  dnnl::algorithm algorithm;
  FloatBits alpha;
  FloatBits beta;
  int32_t unused = 0;
  Layout values;

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes) const {
    const auto desc = values.desc();
    const dnnl::eltwise_forward::primitive_desc forward(
        engine,
        dnnl::prop_kind::forward_training,
        algorithm,
        desc,
        desc,
        alpha,
        beta,
        attributes,
        /*allow_empty=*/true);
    if (!forward)
      return {};
    return dnnl::eltwise_backward::primitive_desc(
        engine, algorithm, desc, desc, desc, alpha, beta, forward, attributes, /*allow_empty=*/true);
  }
};

} // namespace ipex::onednn
