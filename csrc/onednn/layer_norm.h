// Specs of layer normalisation over the last dimension of a matrix, both directions.
#pragma once

#include "onednn/layout.h"
#include "onednn/primitive_cache.h"

namespace ipex::onednn {

struct LayerNormFlags {
  // Which of scale and shift the operator has, as oneDNN flags.
  static dnnl::normalization_flags of(bool scale, bool shift) {
    return (scale ? dnnl::normalization_flags::use_scale : dnnl::normalization_flags::none) |
        (shift ? dnnl::normalization_flags::use_shift : dnnl::normalization_flags::none);
  }
};

// One float32 value per row.
inline dnnl::memory::desc layer_norm_statistics(const Layout& rows) {
  return Layout::dense(dnnl::memory::data_type::f32, {rows.sizes[0]}).desc();
}

// DNNL_ARG_SRC [, _SCALE, _SHIFT] -> DNNL_ARG_DST, _MEAN, _VARIANCE.
struct LayerNormForward {
  static constexpr const char* kName = "layer_norm";
  dnnl::normalization_flags flags;
  FloatBits epsilon;
  Layout rows;

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes) const {
    const auto desc = rows.desc();
    return dnnl::layer_normalization_forward::primitive_desc(
        engine,
        dnnl::prop_kind::forward_training,
        desc,
        desc,
        layer_norm_statistics(rows),
        epsilon,
        flags,
        attributes,
        /*allow_empty=*/true);
  }
};

// DNNL_ARG_SRC, _MEAN, _VARIANCE, _DIFF_DST [, _SCALE] -> DNNL_ARG_DIFF_SRC [, _DIFF_SCALE, _DIFF_SHIFT].
struct LayerNormBackward {
  static constexpr const char* kName = "layer_norm_backward";
  dnnl::normalization_flags flags;
  FloatBits epsilon;
  Layout rows;

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes) const {
    const auto desc = rows.desc();
    const auto statistics = layer_norm_statistics(rows);
    const dnnl::layer_normalization_forward::primitive_desc forward(
        engine,
        dnnl::prop_kind::forward_training,
        desc,
        desc,
        statistics,
        epsilon,
        flags,
        attributes,
        /*allow_empty=*/true);
    if (!forward)
      return {};
    return dnnl::layer_normalization_backward::primitive_desc(
        engine,
        dnnl::prop_kind::backward,
        desc,
        desc,
        desc,
        statistics,
        epsilon,
        flags,
        forward,
        attributes,
        /*allow_empty=*/true);
  }
};

} // namespace ipex::onednn
