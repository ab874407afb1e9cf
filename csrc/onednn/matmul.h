// Spec of a product of matrices, or of two batches of them.
#pragma once

#include "onednn/epilogue.h"
#include "onednn/layout.h"
#include "onednn/primitive_cache.h"

namespace ipex::onednn {

// dst = alpha * src x weights + beta * dst + bias, with DNNL_ARG_SRC [(B,) M, K], DNNL_ARG_WEIGHTS [(B,) K, N],
// DNNL_ARG_BIAS [N] and DNNL_ARG_DST [(B,) M, N]; a batch of size 1 is used for all. Rows or columns of src and weights
// are adjacent in memory, those of dst in rows. alpha is passed as DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS.
// The epilogue is for a product without beta.
struct MatMul {
  static constexpr const char* kName = "matmul";
  Layout src;
  Layout weights;
  Layout dst;
  FloatBits beta = 0; // 0: dst is only written
  Bias bias = Bias::kNone; // not together with has_alpha or beta
  int32_t has_alpha = 0;
  int32_t unused = 0; // keys have no padding
  Epilogue epilogue{};

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes) const {
    dnnl::primitive_attr own = epilogue.add_to(attributes, dst);
    if (beta != 0) {
      dnnl::post_ops sum;
      sum.append_sum(beta);
      own.set_post_ops(sum);
    }
    if (has_alpha)
      own.set_scales_mask(DNNL_ARG_WEIGHTS, 0);
    const auto src_desc = src.desc(), weights_desc = weights.desc(), dst_desc = dst.desc();
    if (bias == Bias::kNone)
      return dnnl::matmul::primitive_desc(engine, src_desc, weights_desc, dst_desc, own, /*allow_empty=*/true);
    std::array<int64_t, Layout::kMaxRank> ones;
    ones.fill(1);
    ones[dst.rank - 1] = dst.sizes[dst.rank - 1];
    const auto bias_desc =
        Layout::dense(bias_type(bias, dst.dtype), {ones.data(), static_cast<size_t>(dst.rank)}).desc();
    return dnnl::matmul::primitive_desc(engine, src_desc, weights_desc, bias_desc, dst_desc, own, /*allow_empty=*/true);
  }
};

} // namespace ipex::onednn
