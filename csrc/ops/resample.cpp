// Upsampling over channels-last values.
#include "ops/resample.h"

#include <ATen/Parallel.h>
#include <ATen/native/UpSample.h>

#include <algorithm>

#include "core/profile.h"
#include "core/target_clones.h"
#include "forms/operand.h"

namespace ipex::ops {

namespace {

constexpr int64_t kGrain = 16384;

struct Tap {
  int64_t pixel;
  float weight;
};

// dst[c] = sum over taps of src[pixel, c] * weight.
IPEX_TARGET_CLONES void gather(
    const float* src,
    int64_t channels,
    const Tap* taps,
    int64_t count,
    float* __restrict dst) {
  const float* a = src + taps[0].pixel * channels;
  if (count == 1) {
    std::copy_n(a, channels, dst);
    return;
  }
  const float *b = src + taps[1].pixel * channels, *c = src + taps[2].pixel * channels,
              *d = src + taps[3].pixel * channels;
  const float p = taps[0].weight, q = taps[1].weight, r = taps[2].weight, s = taps[3].weight;
  for (int64_t i = 0; i < channels; ++i)
    dst[i] = (a[i] * p + b[i] * q) + (c[i] * r + d[i] * s);
}

// dst[pixel, c] += diff[c] * weight for all taps; rows of dst are `pitch` apart.
IPEX_TARGET_CLONES void scatter(
    const float* diff,
    int64_t channels,
    int64_t pitch,
    const Tap* taps,
    int64_t count,
    float* __restrict dst) {
  for (int64_t tap = 0; tap < count; ++tap) {
    float* to = dst + taps[tap].pixel * pitch;
    const float weight = taps[tap].weight;
    for (int64_t i = 0; i < channels; ++i)
      to[i] += diff[i] * weight;
  }
}

ResampleAxis nearest_axis(int64_t in, int64_t out, bool exact, std::optional<double> scale) {
  ResampleAxis axis{in, out, 1, {}, {}};
  for (int64_t i = 0; i < out; ++i)
    axis.index.push_back(
        exact ? at::native::nearest_exact_idx(i, in, out, scale) : at::native::nearest_idx(i, in, out, scale));
  axis.weight.assign(out, 1);
  return axis;
}

ResampleAxis linear_axis(int64_t in, int64_t out, bool align_corners, std::optional<double> scale) {
  ResampleAxis axis{in, out, 2, {}, {}};
  const auto ratio = at::native::area_pixel_compute_scale<float>(in, out, align_corners, scale);
  for (int64_t i = 0; i < out; ++i) {
    int64_t first = 0, second = 0;
    float first_weight = 0, second_weight = 0;
    at::native::compute_source_index_and_lambda<float, float>(
        first, second, first_weight, second_weight, ratio, i, in, out, align_corners);
    axis.index.insert(axis.index.end(), {first, second});
    axis.weight.insert(axis.weight.end(), {first_weight, second_weight});
  }
  return axis;
}

// The taps of output pixel (y, x); returns how many.
int64_t taps_of(const ResampleCall& call, int64_t y, int64_t x, std::array<Tap, 4>& taps) {
  const auto& [height, width] = call.axes;
  int64_t count = 0;
  for (int64_t i = y * height.taps; i < (y + 1) * height.taps; ++i)
    for (int64_t j = x * width.taps; j < (x + 1) * width.taps; ++j)
      taps[count++] = {height.index[i] * width.in + width.index[j], height.weight[i] * width.weight[j]};
  return count;
}

forms::Result result(const at::Tensor& like, c10::IntArrayRef sizes) {
  const auto order = forms::channels_last_strides(sizes);
  const bool plain = like.suggest_memory_format() == at::MemoryFormat::Contiguous;
  return forms::make_result(sizes, plain ? forms::row_major_strides(sizes) : order, order, like.options());
}

} // namespace

std::optional<ResampleCall> resample_call(
    Interpolation interpolation,
    c10::IntArrayRef src_sizes,
    c10::IntArrayRef output_size,
    bool align_corners,
    std::array<std::optional<double>, 2> scales) {
  const auto positive = [](int64_t size) { return size > 0; };
  if (src_sizes.size() != 4 || output_size.size() != 2 || !std::all_of(src_sizes.begin(), src_sizes.end(), positive) ||
      !std::all_of(output_size.begin(), output_size.end(), positive))
    return std::nullopt;
  ResampleCall call;
  call.src_sizes = src_sizes;
  call.dst_sizes = {src_sizes[0], src_sizes[1], output_size[0], output_size[1]};
  for (size_t i = 0; i < 2; ++i)
    call.axes[i] = interpolation == Interpolation::kLinear
        ? linear_axis(src_sizes[i + 2], output_size[i], align_corners, scales[i])
        : nearest_axis(src_sizes[i + 2], output_size[i], interpolation == Interpolation::kNearestExact, scales[i]);
  return call;
}

bool can_resample(const at::Tensor& tensor, c10::IntArrayRef sizes) {
  return forms::readable(tensor) && tensor.scalar_type() == at::kFloat && tensor.sizes() == sizes;
}

at::Tensor resample(const ResampleCall& call, const at::Tensor& self) {
  const auto src = forms::read_as(self, forms::channels_last_strides(self.sizes()));
  const auto dst = result(self, call.dst_sizes);
  const int64_t channels = self.size(1), height = call.axes[0].out, width = call.axes[1].out;
  const int64_t plane = call.axes[0].in * call.axes[1].in * channels, rows = self.size(0) * height;
  const profile::Kernel profiled("resample");
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / (width * channels)), [&](int64_t begin, int64_t end) {
    std::array<Tap, 4> taps;
    for (int64_t row = begin; row < end; ++row) {
      const float* from = static_cast<const float*>(src.data) + row / height * plane;
      float* to = static_cast<float*>(dst.data) + row * width * channels;
      for (int64_t x = 0; x < width; ++x, to += channels) {
        const int64_t count = taps_of(call, row % height, x, taps);
        gather(from, channels, taps.data(), count, to);
      }
    }
  });
  return dst.tensor;
}

at::Tensor resample_backward(const ResampleCall& call, const at::Tensor& diff_dst) {
  const auto diff = forms::read_as(diff_dst, forms::channels_last_strides(diff_dst.sizes()));
  const auto dst = result(diff_dst, call.src_sizes);
  const int64_t pitch = diff_dst.size(1), height = call.axes[0].out, width = call.axes[1].out;
  const int64_t inside = call.axes[0].in * call.axes[1].in, batch = diff_dst.size(0);
  constexpr int64_t kLine = 16; // floats of a cache line: threads share channels by whole lines
  const int64_t lines = (pitch + kLine - 1) / kLine;
  const int64_t blocks = batch >= at::get_num_threads() ? 1 : std::min<int64_t>(lines, at::get_num_threads());
  const int64_t grain = std::max<int64_t>(1, kGrain * blocks / (height * width * pitch));
  const profile::Kernel profiled("resample_backward");
  at::parallel_for(0, batch * blocks, grain, [&](int64_t begin, int64_t end) {
    std::array<Tap, 4> taps;
    for (int64_t part = begin; part < end; ++part) {
      const int64_t n = part / blocks, block = part % blocks, first = lines * block / blocks * kLine;
      const int64_t channels = std::min(pitch, lines * (block + 1) / blocks * kLine) - first;
      const float* from = static_cast<const float*>(diff.data) + n * height * width * pitch + first;
      float* to = static_cast<float*>(dst.data) + n * inside * pitch + first;
      for (int64_t pixel = 0; pixel < inside; ++pixel)
        std::fill_n(to + pixel * pitch, channels, 0.f);
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x, from += pitch) {
          const int64_t count = taps_of(call, y, x, taps);
          scatter(from, channels, pitch, taps.data(), count, to);
        }
    }
  });
  return dst.tensor;
}

} // namespace ipex::ops
