// Specs of softmax and log-softmax over the last dimension of a matrix, both directions.
#pragma once

#include "onednn/layout.h"
#include "onednn/primitive_cache.h"

namespace ipex::onednn {

// DNNL_ARG_SRC -> DNNL_ARG_DST. `algorithm` is softmax_accurate or softmax_log.
struct SoftmaxForward {
  static constexpr const char* kName = "softmax";
  dnnl::algorithm algorithm;
  int32_t axis;
  Layout rows;

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes) const {
    const auto desc = rows.desc();
    return dnnl::softmax_forward::primitive_desc(
        engine, dnnl::prop_kind::forward_inference, algorithm, desc, desc, axis, attributes, /*allow_empty=*/true);
  }
};

// DNNL_ARG_DST, DNNL_ARG_DIFF_DST -> DNNL_ARG_DIFF_SRC.
struct SoftmaxBackward {
  static constexpr const char* kName = "softmax_backward";
  dnnl::algorithm algorithm;
  int32_t axis;
  Layout rows;

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes) const {
    const auto desc = rows.desc();
    const dnnl::softmax_forward::primitive_desc forward(
        engine, dnnl::prop_kind::forward_training, algorithm, desc, desc, axis, attributes, /*allow_empty=*/true);
    if (!forward)
      return {};
    return dnnl::softmax_backward::primitive_desc(
        engine, algorithm, desc, desc, desc, axis, forward, attributes, /*allow_empty=*/true);
  }
};

} // namespace ipex::onednn
