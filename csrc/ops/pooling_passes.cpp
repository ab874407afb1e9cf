// Pooling over channels-last values: every window is a list of pixels, and all channels of a pixel are adjacent.
#include <ATen/Parallel.h>
#include <ATen/ops/empty_strided.h>

#include <algorithm>

#include "core/profile.h"
#include "core/target_clones.h"
#include "forms/operand.h"
#include "forms/quantized.h"
#include "forms/storage.h"
#include "fusion/post_op.h"
#include "ops/convert.h"
#include "ops/pooling.h"
#include "ops/pooling_windows.h"
#include "ops/quantized_pooling.h"
#include "vec/rows.h"

namespace ipex::ops {

namespace {

// Reads windows as float32 and writes what becomes of them; bfloat16 pixels are converted window by window.
class Windows {
 public:
  Windows(const PoolCall& call, const void* src, void* dst)
      : is_narrow_(call.dtype == at::kBFloat16),
        channels_(call.channels),
        src_(src),
        dst_(dst),
        result_(is_narrow_ ? channels_ : 0) {}

  // Calls function(values, pixels, result): pixel p of the window begins at values[p * channels]. `plane`: the number of
  // the first pixel of the image, `to`: of the result.
  template <class Function>
  void run(int64_t plane, const Taps& taps, int64_t to, Function function) {
    if (!is_narrow_)
      return function(
          static_cast<const float*>(src_) + plane * channels_,
          taps.pixels.data(),
          static_cast<float*>(dst_) + to * channels_);
    const auto count = static_cast<int64_t>(taps.pixels.size());
    values_.resize(std::max<size_t>(values_.size(), count * channels_));
    while (numbers_.size() < taps.pixels.size())
      numbers_.push_back(static_cast<int32_t>(numbers_.size()));
    const auto* from = static_cast<const uint16_t*>(src_) + plane * channels_;
    for (int64_t i = 0; i < count; ++i)
      to_float(at::kBFloat16, from + taps.pixels[i] * channels_, values_.data() + i * channels_, channels_);
    function(values_.data(), numbers_.data(), result_.data());
    from_float(at::kBFloat16, result_.data(), static_cast<uint16_t*>(dst_) + to * channels_, channels_);
  }

  // Whether the pixels that the function gets are numbers within the window, not within the image.
  bool renumbers() const {
    return is_narrow_;
  }

 private:
  const bool is_narrow_;
  const int64_t channels_;
  const void* src_;
  void* dst_;
  std::vector<float> values_, result_;
  std::vector<int32_t> numbers_;
};

// Calls part(n, first channel, channels) so that no two calls at a time write the same element of a gradient.
template <class Part>
void each_part(const PoolCall& call, Part part) {
  constexpr int64_t kLine = 16; // floats of a cache line
  const int64_t lines = (call.channels + kLine - 1) / kLine;
  const int64_t read = call.batch * call.plane_in() * call.channels;
  const int64_t wanted = read < 2 * kPoolGrain ? 1 : at::get_num_threads();
  const int64_t blocks = call.batch % wanted == 0 ? 1 : std::min(lines, wanted);
  const profile::Kernel profiled("pooling");
  at::parallel_for(
      0, call.batch * blocks, read < 2 * kPoolGrain ? call.batch * blocks : 1, [&](int64_t begin, int64_t end) {
        Taps taps;
        for (int64_t i = begin; i < end; ++i) {
          const int64_t block = i % blocks, first = lines * block / blocks * kLine;
          part(i / blocks, first, std::min(call.channels, lines * (block + 1) / blocks * kLine) - first, taps);
        }
      });
}

// dst[pixel, c] += diff[c] / divisor for the pixels of a window; rows of dst are `pitch` apart.
IPEX_TARGET_CLONES void spread(
    const float* diff,
    int64_t channels,
    int64_t pitch,
    const int32_t* pixels,
    int64_t count,
    float divisor,
    float* __restrict share,
    float* __restrict dst) {
  for (int64_t c = 0; c < channels; ++c)
    share[c] = diff[c] / divisor;
  for (int64_t i = 0; i < count; ++i) {
    float* to = dst + pixels[i] * pitch;
    for (int64_t c = 0; c < channels; ++c)
      to[c] += share[c];
  }
}

forms::Result result(const at::Tensor& src, c10::IntArrayRef sizes) {
  return forms::make_result(sizes, pool_strides(src, sizes), forms::channels_last_strides(sizes), src.options());
}

// Where the index of (n, c, pixel) lies.
struct IndexPlace {
  int64_t batch, channel, pixel;
  static IndexPlace of(const PoolCall& call, bool channels_last) {
    const int64_t plane = call.plane_out();
    return channels_last ? IndexPlace{plane * call.channels, 1, call.channels}
                         : IndexPlace{plane * call.channels, plane, 1};
  }
};

} // namespace

at::Tensor average_pool(const PoolCall& call, const at::Tensor& self, int64_t divisor) {
  if (const int8::Turn* turn = int8::turn(); turn != nullptr && call.dtype == at::kFloat)
    return quantized_average_pool(*turn, call, self, divisor);
  const auto src = forms::read_as(self, forms::channels_last_strides(self.sizes()));
  const auto dst = result(self, call.dst_sizes);
  each_row(call, [&](int64_t n, int64_t depth, int64_t height, Taps& work) {
    Windows windows(call, src.data, dst.data);
    each_window(call, depth, height, work, [&](int64_t pixel, const Taps& taps) {
      const auto count = static_cast<int64_t>(taps.pixels.size());
      const auto by = static_cast<float>(divisor != 0 ? divisor : taps.divisor);
      const auto mean = [&](const float* values, const int32_t* pixels, float* result) {
        vec::row_functions().mean_of_pixels(values, call.channels, pixels, count, by, result);
      };
      windows.run(n * call.plane_in(), taps, n * call.plane_out() + pixel, mean);
    });
  });
  return dst.tensor;
}

at::Tensor average_pool_backward(
    const PoolCall& call,
    const at::Tensor& diff_dst,
    const at::Tensor& self,
    int64_t divisor) {
  const auto diff = forms::read_as(diff_dst, forms::channels_last_strides(diff_dst.sizes()));
  const auto dst = result(self, self.sizes());
  const auto* from = static_cast<const float*>(diff.data);
  auto* to = static_cast<float*>(dst.data);
  const int64_t pitch = call.channels;
  each_part(call, [&](int64_t n, int64_t first, int64_t channels, Taps& work) {
    std::vector<float> share(channels);
    float* plane = to + n * call.plane_in() * pitch + first;
    for (int64_t pixel = 0; pixel < call.plane_in(); ++pixel)
      std::fill_n(plane + pixel * pitch, channels, 0.f);
    for (int64_t depth = 0; depth < call.axes[0].out; ++depth)
      for (int64_t height = 0; height < call.axes[1].out; ++height)
        each_window(call, depth, height, work, [&](int64_t pixel, const Taps& taps) {
          spread(
              from + (n * call.plane_out() + pixel) * pitch + first,
              channels,
              pitch,
              taps.pixels.data(),
              static_cast<int64_t>(taps.pixels.size()),
              static_cast<float>(divisor != 0 ? divisor : taps.divisor),
              share.data(),
              plane);
        });
  });
  return dst.tensor;
}

std::tuple<at::Tensor, at::Tensor> max_pool(const PoolCall& call, const at::Tensor& self, bool with_indices) {
  const auto order = forms::channels_last_strides(self.sizes());
  const int8::Turn* turn = call.dtype == at::kFloat ? int8::turn() : nullptr;
  if (turn != nullptr && !with_indices)
    return {quantized_max_pool(*turn, call, self), at::Tensor()};
  // With indices: those of the rounded values.
  const auto src = turn != nullptr ? fusion::as_float(forms::read_quantized(self, turn->input(0), order))
                                   : forms::read_as(self, order);
  const auto dst = result(self, call.dst_sizes);
  const int64_t channels = call.channels, width = call.axes[2].out;
  const auto strides = pool_strides(self, call.dst_sizes);
  at::Tensor indices;
  int64_t* places = nullptr;
  if (with_indices) {
    indices = at::empty_strided(call.dst_sizes, strides, self.options().dtype(at::kLong));
    places = static_cast<int64_t*>(write_bytes(indices));
  }
  const auto at = IndexPlace::of(call, self.suggest_memory_format() != at::MemoryFormat::Contiguous);
  each_row(call, [&](int64_t n, int64_t depth, int64_t height, Taps& work) {
    Windows windows(call, src.data, dst.data);
    std::vector<int32_t> row(with_indices ? width * channels : 0);
    int64_t x = 0, start = 0;
    each_window(call, depth, height, work, [&](int64_t pixel, const Taps& taps) {
      const auto count = static_cast<int64_t>(taps.pixels.size());
      int32_t* place = with_indices ? row.data() + x * channels : nullptr;
      const auto largest = [&](const float* values, const int32_t* pixels, float* result) {
        vec::row_functions().max_of_pixels(values, channels, pixels, count, result, place);
      };
      windows.run(n * call.plane_in(), taps, n * call.plane_out() + pixel, largest);
      if (with_indices && windows.renumbers())
        std::transform(place, place + channels, place, [&](int32_t given) { return taps.pixels[given]; });
      start = pixel - x++;
    });
    // A row at a time, so that plain indices, whose channels lie far apart, are written in runs.
    if (with_indices && at.channel == 1)
      std::copy(row.begin(), row.end(), places + n * at.batch + start * at.pixel);
    else if (with_indices)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t i = 0; i < width; ++i)
          places[n * at.batch + c * at.channel + start + i] = row[i * channels + c];
  });
  return {dst.tensor, indices};
}

at::Tensor max_pool_backward(
    const PoolCall& call,
    const at::Tensor& diff_dst,
    const at::Tensor& self,
    const at::Tensor& indices) {
  const auto diff = forms::read_as(diff_dst, forms::channels_last_strides(diff_dst.sizes()));
  const auto dst = result(self, self.sizes());
  const auto* from = static_cast<const float*>(diff.data);
  auto* to = static_cast<float*>(dst.data);
  const bool channels_last =
      forms::same_order(call.dst_sizes, indices.strides(), forms::channels_last_strides(call.dst_sizes));
  const at::Tensor plain = channels_last ? indices : indices.contiguous();
  const auto* places = static_cast<const int64_t*>(read_bytes(plain));
  const auto at = IndexPlace::of(call, channels_last);
  const int64_t pitch = call.channels, width = call.axes[2].out, inside = call.plane_in();
  each_part(call, [&](int64_t n, int64_t first, int64_t channels, Taps&) {
    float* plane = to + n * inside * pitch + first;
    for (int64_t pixel = 0; pixel < inside; ++pixel)
      std::fill_n(plane + pixel * pitch, channels, 0.f);
    const int64_t* batch = places + n * at.batch + first * at.channel;
    for (int64_t start = 0; start < call.plane_out(); start += width)
      for (int64_t c = 0; c < channels; ++c) {
        const float* values = from + (n * call.plane_out() + start) * pitch + first + c;
        const int64_t* row = batch + c * at.channel + start * at.pixel;
        for (int64_t i = 0; i < width; ++i)
          if (const int64_t place = row[i * at.pixel]; place >= 0 && place < inside)
            plane[place * pitch + c] += values[i * pitch];
      }
  });
  return dst.tensor;
}

} // namespace ipex::ops
