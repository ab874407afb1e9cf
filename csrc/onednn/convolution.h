// Specs of convolution and transposed convolution (1-d to 3-d), forward and backward.
//
// Activations lie in channels-last order, weights in whatever layout oneDNN chooses (Primitive::weights()). Everything
// is in oneDNN's terms: weights are [O, I, ...], or [G, O/G, I/G, ...] when grouped; a transposed convolution
// ("deconvolution") has them as [O, I, ...] too, O being its output channels.
#pragma once

#include "onednn/epilogue.h"
#include "onednn/layout.h"
#include "onednn/primitive_cache.h"

namespace ipex::onednn {

struct ConvolutionGeometry {
  static constexpr int kMaxSpatial = 3;
  std::array<int64_t, kMaxSpatial> strides{};
  std::array<int64_t, kMaxSpatial> dilation{}; // oneDNN's: 0 is dense
  std::array<int64_t, kMaxSpatial> padding_begin{};
  std::array<int64_t, kMaxSpatial> padding_end{};
  int32_t spatial = 0;
  int32_t transposed = 0;

  dnnl::memory::dims dims(const std::array<int64_t, kMaxSpatial>& values) const {
    return {values.begin(), values.begin() + spatial};
  }
};

struct Convolution {
  enum Kind : int32_t { kForward, kBackwardData, kBackwardWeights };

  static constexpr const char* kName = "convolution";
  ConvolutionGeometry geometry;
  Layout src; // or diff_src
  Layout weights; // plain, for its sizes and dtype only
  Layout dst; // or diff_dst
  int32_t kind = kForward;
  Bias bias = Bias::kNone; // forward: reads it; backward weights: makes its gradient

  Epilogue epilogue; // forward
  Scales scales = Scales::kNone; // forward in int8: src s8 or u8, weights s8, dst any; one scale per output channel
  int32_t unused = 0; // keys have no padding

  void set_dst(dnnl::memory::data_type dtype) {
    dst.dtype = dtype;
  }

  // oneDNN #1757. In int8 there is no other way to compute the epilogue.
  bool lasts() const {
    return scales == Scales::kNone && epilogue.has_activation();
  }

  dnnl::primitive_desc_base describe(const dnnl::engine& engine, const dnnl::primitive_attr& common) const {
    dnnl::primitive_attr attributes(epilogue.add_to(common, dst));
    add_scales(attributes, scales, weights.rank == src.rank ? 1 << 0 : (1 << 0) | (1 << 1));
    return geometry.transposed
        ? make<dnnl::deconvolution_forward, dnnl::deconvolution_backward_data, dnnl::deconvolution_backward_weights>(
              engine, attributes, dnnl::algorithm::deconvolution_direct)
        : make<dnnl::convolution_forward, dnnl::convolution_backward_data, dnnl::convolution_backward_weights>(
              engine, attributes, dnnl::algorithm::convolution_direct);
  }

 private:
  template <class Forward, class BackwardData, class BackwardWeights>
  dnnl::primitive_desc_base make(
      const dnnl::engine& engine,
      const dnnl::primitive_attr& attributes,
      dnnl::algorithm algorithm) const {
    const auto src_desc = src.desc(), dst_desc = dst.desc();
    const dnnl::memory::desc weights_desc(
        dnnl::memory::dims(weights.sizes.begin(), weights.sizes.begin() + weights.rank),
        weights.dtype,
        dnnl::memory::format_tag::any);
    const int64_t channels = dst.sizes[1];
    const auto bias_desc = bias == Bias::kNone
        ? dnnl::memory::desc()
        : dnnl::memory::desc({channels}, bias_type(bias, weights.dtype), dnnl::memory::format_tag::a);
    const auto stride = geometry.dims(geometry.strides), dilate = geometry.dims(geometry.dilation),
               begin = geometry.dims(geometry.padding_begin), end = geometry.dims(geometry.padding_end);
    const auto prop = kind == kForward ? dnnl::prop_kind::forward_inference : dnnl::prop_kind::forward_training;
    const typename Forward::primitive_desc forward(
        engine,
        prop,
        algorithm,
        src_desc,
        weights_desc,
        bias_desc,
        dst_desc,
        stride,
        dilate,
        begin,
        end,
        attributes,
        /*allow_empty=*/true);
    if (kind == kForward || !forward)
      return forward;
    if (kind == kBackwardData)
      return typename BackwardData::primitive_desc(
          engine,
          algorithm,
          src_desc,
          weights_desc,
          dst_desc,
          stride,
          dilate,
          begin,
          end,
          forward,
          attributes,
          /*allow_empty=*/true);
    return typename BackwardWeights::primitive_desc(
        engine,
        algorithm,
        src_desc,
        weights_desc,
        bias_desc,
        dst_desc,
        stride,
        dilate,
        begin,
        end,
        forward,
        attributes,
        /*allow_empty=*/true);
  }
};

} // namespace ipex::onednn
