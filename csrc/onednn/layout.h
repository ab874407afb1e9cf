// Layout: sizes, strides and type of a oneDNN operand as plain bytes, so that it can be part of a cache key.
#pragma once

#include <c10/util/ArrayRef.h>
#include <dnnl.hpp>

#include <array>
#include <type_traits>

namespace ipex::onednn {

struct Layout {
  static constexpr int64_t kMaxRank = 6;

  dnnl::memory::data_type dtype = dnnl::memory::data_type::undef;
  int32_t rank = 0;
  std::array<int64_t, kMaxRank> sizes{};
  std::array<int64_t, kMaxRank> strides{};

  // Adjacent elements in row-major order. oneDNN knows no scalars: give them one dimension of size 1.
  static Layout dense(dnnl::memory::data_type dtype, c10::IntArrayRef sizes);

  // Any strides. A scalar becomes one dimension of size 1.
  static Layout strided(dnnl::memory::data_type dtype, c10::IntArrayRef sizes, c10::IntArrayRef strides);

  dnnl::memory::desc desc() const;

  c10::IntArrayRef sizes_ref() const {
    return {sizes.data(), static_cast<size_t>(rank)};
  }
  c10::IntArrayRef strides_ref() const {
    return {strides.data(), static_cast<size_t>(rank)};
  }

  // The same with dimensions of size 1 at the end.
  Layout with_rank(int32_t rank) const;

  int64_t elements() const;

  // Whether the elements are one run of memory without gaps or overlaps, in whatever order of dimensions.
  bool dense() const;

  // Whether no two elements share their place; strides of dimensions of size 1 do not matter.
  bool disjoint() const;

  bool operator==(const Layout&) const = default;
};

// The bias of a primitive.
enum class Bias : int32_t { kNone, kOfWeights, kFloat }; // absent, of the weights' type, float32

inline dnnl::memory::data_type bias_type(Bias bias, dnnl::memory::data_type weights) {
  return bias == Bias::kFloat ? dnnl::memory::data_type::f32 : weights;
}

// What the values of a primitive in int8 are multiplied by at run time, in DNNL_ARG_ATTR_SCALES of weights and dst.
enum class Scales : int32_t { kNone, kWeights, kWeightsAndDst };

inline void add_scales(dnnl::primitive_attr& attributes, Scales scales, int weights_mask) {
  if (scales == Scales::kNone)
    return;
  attributes.set_scales_mask(DNNL_ARG_WEIGHTS, weights_mask);
  if (scales == Scales::kWeightsAndDst)
    attributes.set_scales_mask(DNNL_ARG_DST, 0);
}

static_assert(std::has_unique_object_representations_v<Layout>);

} // namespace ipex::onednn
