// What the upsampling operators share: every output pixel is a weighted sum of input pixels, dimension by dimension.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <vector>

namespace ipex::ops {

enum class Interpolation { kNearest, kNearestExact, kLinear };

// The input elements of one dimension and their weights, by output index; `taps` of them each.
struct ResampleAxis {
  int64_t in = 1;
  int64_t out = 1;
  int64_t taps = 1;
  std::vector<int64_t> index;
  std::vector<float> weight;
};

struct ResampleCall {
  c10::DimVector src_sizes;
  c10::DimVector dst_sizes;
  std::array<ResampleAxis, 2> axes;
};

// Resampling of [N, C, H, W]; nothing when the sizes do not fit or are 0.
std::optional<ResampleCall> resample_call(
    Interpolation interpolation,
    c10::IntArrayRef src_sizes,
    c10::IntArrayRef output_size,
    bool align_corners,
    std::array<std::optional<double>, 2> scales);

// Whether `tensor` is float32 of `sizes`.
bool can_resample(const at::Tensor& tensor, c10::IntArrayRef sizes);

// The operators, for operands that fit. Results lie in channels-last order and have the strides of the memory format
// that the operand suggests.
at::Tensor resample(const ResampleCall& call, const at::Tensor& src);
at::Tensor resample_backward(const ResampleCall& call, const at::Tensor& diff_dst);

} // namespace ipex::ops
