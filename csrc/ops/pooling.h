// What the pooling operators share: which elements each window covers, and the passes over channels-last values.
//
// A window is the product of one range per dimension, so a call is described by the ranges of three axes; 2-d pooling
// has a depth of 1.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <vector>

namespace ipex::ops {

// The ranges of one dimension, by output index: the first element, how many elements `step` apart, and by how many an
// average divides.
struct PoolAxis {
  int64_t in = 1;
  int64_t out = 1;
  int64_t step = 1;
  std::vector<int64_t> first{0};
  std::vector<int64_t> taps{1};
  std::vector<int64_t> divisor{1};
};

struct PoolCall {
  c10::ScalarType dtype = c10::ScalarType::Undefined; // f32 or bf16
  int64_t batch = 0;
  int64_t channels = 0;
  std::array<PoolAxis, 3> axes;
  c10::DimVector dst_sizes;
  bool every_window_has_elements = true;

  int64_t plane_in() const {
    return axes[0].in * axes[1].in * axes[2].in;
  }
  int64_t plane_out() const {
    return axes[0].out * axes[1].out * axes[2].out;
  }
};

struct PoolWindows {
  c10::IntArrayRef kernel;
  c10::IntArrayRef stride;
  c10::IntArrayRef padding;
  c10::IntArrayRef dilation; // empty is 1
  bool ceil_mode;
  bool count_padding; // whether the divisor counts padding
  bool inside = false; // whether a kernel larger than the input is refused
};

// Pooling of `src`, float32 or bfloat16 [N, C, ...] with `spatial` further dimensions. Nothing when the fallback has to serve, or to
// refuse, the call: unbatched or empty tensors, other dtypes, parameters that do not fit.
std::optional<PoolCall> pool_call(const at::Tensor& src, int64_t spatial, const PoolWindows& windows);

// The same for windows that share the input equally.
std::optional<PoolCall> adaptive_pool_call(const at::Tensor& src, c10::IntArrayRef output_size);

// Whether `tensor` can be the gradient of the result of `call`; float32 only.
bool is_gradient_of(const PoolCall& call, const at::Tensor& tensor);

// The operators, for a call that the functions above gave. Results lie in channels-last order and have the strides of
// the memory format that `src` suggests. Zero `divisor` takes those of the axes.
at::Tensor average_pool(const PoolCall& call, const at::Tensor& src, int64_t divisor);
at::Tensor average_pool_backward(
    const PoolCall& call,
    const at::Tensor& diff_dst,
    const at::Tensor& src,
    int64_t divisor);
std::tuple<at::Tensor, at::Tensor> max_pool(const PoolCall& call, const at::Tensor& src, bool with_indices);
at::Tensor max_pool_backward(
    const PoolCall& call,
    const at::Tensor& diff_dst,
    const at::Tensor& src,
    const at::Tensor& indices);

} // namespace ipex::ops
