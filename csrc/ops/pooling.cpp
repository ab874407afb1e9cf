// Translates the arguments of pooling operators into ranges per dimension.
#include "ops/pooling.h"

#include <algorithm>

#include "forms/operand.h"
#include "ops/convert.h"

namespace ipex::ops {

namespace {

// `values[i]`, where one value stands for all dimensions and none for `otherwise`.
int64_t at_dimension(c10::IntArrayRef values, size_t i, int64_t otherwise) {
  return values.empty() ? otherwise : values[values.size() == 1 ? 0 : i];
}

bool is_source(const at::Tensor& src, int64_t spatial) {
  return is_plain_float(src) && src.scalar_type() != at::kHalf && src.dim() == spatial + 2 && src.numel() > 0;
}

// The ranges of windows of `kernel` elements; nothing when the parameters do not fit.
std::optional<PoolAxis> axis_of(
    int64_t in,
    int64_t kernel,
    int64_t stride,
    int64_t padding,
    int64_t dilation,
    const PoolWindows& windows) {
  if (kernel < 1 || stride < 1 || dilation < 1 || padding < 0 || padding > kernel / 2 ||
      (windows.inside && kernel > in))
    return std::nullopt;
  const int64_t extent = dilation * (kernel - 1) + 1;
  const int64_t room = in + 2 * padding - extent + (windows.ceil_mode ? stride - 1 : 0);
  if (room < 0)
    return std::nullopt;
  PoolAxis axis{in, room / stride + 1, dilation, {}, {}, {}};
  if (windows.ceil_mode && (axis.out - 1) * stride >= in + padding)
    --axis.out; // the last window starts inside the image
  for (int64_t i = 0; i < axis.out; ++i) {
    const int64_t begin = i * stride - padding, end = std::min(begin + extent, in + padding);
    const int64_t skipped = begin < 0 ? (-begin + dilation - 1) / dilation : 0;
    const int64_t first = begin + skipped * dilation, last = std::min(end, in);
    const int64_t taps = std::max<int64_t>(0, (last - first + dilation - 1) / dilation);
    axis.first.push_back(first);
    axis.taps.push_back(taps);
    axis.divisor.push_back(windows.count_padding ? end - begin : taps);
  }
  return axis;
}

PoolAxis adaptive_axis(int64_t in, int64_t out) {
  PoolAxis axis{in, out, 1, {}, {}, {}};
  for (int64_t i = 0; i < out; ++i) {
    const int64_t first = i * in / out, last = ((i + 1) * in + out - 1) / out;
    axis.first.push_back(first);
    axis.taps.push_back(last - first);
    axis.divisor.push_back(last - first);
  }
  return axis;
}

// `call` with the axis of the next dimension; the axes in front of a 1-d or 2-d window stay as they are.
void add_axis(PoolCall& call, int64_t place, PoolAxis axis) {
  for (const int64_t taps : axis.taps)
    call.every_window_has_elements &= taps > 0;
  call.dst_sizes.push_back(axis.out);
  call.axes[place] = std::move(axis);
}

PoolCall start(const at::Tensor& src) {
  PoolCall call;
  call.dtype = src.scalar_type();
  call.batch = src.size(0);
  call.channels = src.size(1);
  call.dst_sizes = {call.batch, call.channels};
  return call;
}

} // namespace

std::optional<PoolCall> pool_call(const at::Tensor& src, int64_t spatial, const PoolWindows& windows) {
  const auto fits = [&](c10::IntArrayRef values, bool optional) {
    return values.size() == 1 || values.size() == static_cast<size_t>(spatial) || (optional && values.empty());
  };
  if (!is_source(src, spatial) || !fits(windows.kernel, false) || !fits(windows.stride, true) ||
      !fits(windows.padding, false) || !fits(windows.dilation, true))
    return std::nullopt;
  PoolCall call = start(src);
  for (int64_t i = 0; i < spatial; ++i) {
    const int64_t kernel = at_dimension(windows.kernel, i, 0);
    auto axis = axis_of(
        src.size(i + 2),
        kernel,
        at_dimension(windows.stride, i, kernel),
        at_dimension(windows.padding, i, 0),
        at_dimension(windows.dilation, i, 1),
        windows);
    if (!axis || axis->out < 1)
      return std::nullopt;
    add_axis(call, 3 - spatial + i, std::move(*axis));
  }
  return call;
}

std::optional<PoolCall> adaptive_pool_call(const at::Tensor& src, c10::IntArrayRef output_size) {
  const auto spatial = static_cast<int64_t>(output_size.size());
  if (!is_source(src, spatial) || spatial > 3 ||
      !std::all_of(output_size.begin(), output_size.end(), [](int64_t size) { return size > 0; }))
    return std::nullopt;
  PoolCall call = start(src);
  for (int64_t i = 0; i < spatial; ++i)
    add_axis(call, 3 - spatial + i, adaptive_axis(src.size(i + 2), output_size[i]));
  return call;
}

bool is_gradient_of(const PoolCall& call, const at::Tensor& tensor) {
  return call.dtype == at::kFloat && forms::readable(tensor) && tensor.scalar_type() == at::kFloat &&
      tensor.sizes() == call.dst_sizes;
}

} // namespace ipex::ops
