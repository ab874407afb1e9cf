// Under each place of the kernel ("tap") a pixel of dst has a row of src, or of zeros where that lies outside. Tables of
// pointers to these rows are made per call, for some images at a time: writing one costs a nanosecond or less, using it
// tens of them.
#include "ops/tiled_convolution.h"

#include <ATen/Parallel.h>
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>

#include "forms/block.h"
#include "onednn/details.h"
#include "ops/simd.h"
#include "ops/tiled_product.h"

namespace ipex::ops {

namespace {

constexpr int kSpatial = onednn::ConvolutionGeometry::kMaxSpatial;
using Point = std::array<int64_t, kSpatial>;

// Rows of the tables of one run, so that they stay in the cache.
constexpr int64_t kRowsPerRun = 4096;

int64_t volume(const Point& sizes) {
  return sizes[0] * sizes[1] * sizes[2];
}

// Three dimensions whatever the convolution has; the missing ones come first and are of size 1.
struct Shape {
  int64_t images, in, out, taps;
  Point src, dst, kernel, stride, dilation, padding;

  explicit Shape(const ConvolutionCall& call) {
    const auto& g = call.spec.geometry;
    images = call.spec.src.sizes[0];
    in = call.spec.src.sizes[1];
    out = call.spec.dst.sizes[1];
    for (int i = 0; i < kSpatial; ++i) {
      const int from = i - (kSpatial - g.spatial);
      const bool missing = from < 0;
      src[i] = missing ? 1 : call.spec.src.sizes[2 + from];
      dst[i] = missing ? 1 : call.spec.dst.sizes[2 + from];
      kernel[i] = missing ? 1 : call.weights.sizes[2 + from];
      stride[i] = missing ? 1 : g.strides[from];
      dilation[i] = missing ? 1 : g.dilation[from] + 1;
      padding[i] = missing ? 0 : g.padding_begin[from];
    }
    taps = volume(kernel);
  }

  Point tap(int64_t index) const {
    return {index / (kernel[1] * kernel[2]), index / kernel[2] % kernel[1], index % kernel[2]};
  }

  // Whether dst has a pixel per pixel of src and nothing else meets it.
  bool pointwise() const {
    return taps == 1 && src == dst && padding == Point{} && stride == Point{1, 1, 1};
  }

  std::string problem(const char* direction) const {
    const auto list = [](const Point& p) { return c10::str(p[0], "x", p[1], "x", p[2]); };
    return c10::str(
        direction,
        ",src_f32 wei_f32 dst_f32,,alg:convolution_direct,mb",
        images,
        "_ic",
        in,
        "oc",
        out,
        "_id_ih_iw",
        list(src),
        "_od_oh_ow",
        list(dst),
        "_kd_kh_kw",
        list(kernel),
        "_sd_sh_sw",
        list(stride),
        "_dd_dh_dw",
        list(dilation),
        "_pd_ph_pw",
        list(padding));
  }
};

// Points of a grid and the pixel that each has in an image: point * step + start.
struct Sampling {
  Point points, step, start;
  Point image; // its size
  int64_t channels;
};

// Addresses of the pixels of `images` successive images; `outside` for what lies in none.
template <class T>
void locate(const Sampling& s, T* base, int64_t images, T* outside, T** table) {
  const auto& [points, step, start, image, channels] = s;
  // The points of a row that lie inside.
  const int64_t last = image[2] - 1 - start[2];
  const int64_t begin = start[2] >= 0 ? 0 : std::min(points[2], (-start[2] + step[2] - 1) / step[2]);
  const int64_t end = last < 0 ? begin : std::max(begin, std::min(points[2], last / step[2] + 1));
  for (int64_t n = 0; n < images; ++n)
    for (int64_t a = 0; a < points[0]; ++a)
      for (int64_t b = 0; b < points[1]; ++b, table += points[2]) {
        const int64_t z = a * step[0] + start[0], y = b * step[1] + start[1];
        if (z < 0 || z >= image[0] || y < 0 || y >= image[1]) {
          std::fill_n(table, points[2], outside);
          continue;
        }
        std::fill_n(table, begin, outside);
        T* pixel = base + (((n * image[0] + z) * image[1] + y) * image[2] + start[2]) * channels;
        for (int64_t c = begin; c < end; ++c)
          table[c] = pixel + c * step[2] * channels;
        std::fill(table + end, table + points[2], outside);
      }
}

// Memory for tables and a row of zeros.
template <class T>
class Tables {
 public:
  Tables(int64_t entries, int64_t zeros)
      : memory_(
            forms::allocate(static_cast<size_t>(entries) * sizeof(T*) + static_cast<size_t>(zeros) * sizeof(float))),
        entries_(entries) {
    std::memset(this->zeros(), 0, static_cast<size_t>(zeros) * sizeof(float));
  }
  T** data() const {
    return static_cast<T**>(memory_.get());
  }
  float* zeros() const {
    return reinterpret_cast<float*>(data() + entries_);
  }

 private:
  c10::DataPtr memory_;
  int64_t entries_;
};

bool serves(const ConvolutionCall& call) {
  // With AVX-512 oneDNN's are the faster ones (3x3: 143 against 167 ms of a training step of ResNet-50).
  return takes_tiled_products(call.spec.dst.dtype) && !has_avx512_loops() && !call.spec.geometry.transposed &&
      call.groups == 1 && std::min(call.spec.src.sizes[1], call.spec.dst.sizes[1]) >= simd::kPanel;
}

// For each tap the pixel of src that each pixel of dst meets, [taps, images, points].
Tables<const float> pixels_under_kernel(const Shape& shape, const float* src, int64_t images) {
  const int64_t rows = images * volume(shape.dst);
  Tables<const float> tables(shape.taps * rows, shape.in);
  constexpr int64_t kEntriesPerThread = 8192;
  at::parallel_for(0, shape.taps, std::max<int64_t>(1, kEntriesPerThread / rows), [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const Point tap = shape.tap(index);
      Sampling s{shape.dst, shape.stride, {}, shape.src, shape.in};
      for (int i = 0; i < kSpatial; ++i)
        s.start[i] = tap[i] * shape.dilation[i] - shape.padding[i];
      locate<const float>(s, src, images, tables.zeros(), tables.data() + index * rows);
    }
  });
  return tables;
}

// The part of the gradient that comes from `images` images from `first` on.
void add_images(const Shape& shape, const void* src, const void* diff_dst, int64_t first, int64_t images, float* to) {
  const int64_t points = volume(shape.dst), pixels = volume(shape.src);
  simd::MatrixProduct product;
  product.operands = simd::MatrixProduct::Operands::gradient;
  product.rows = shape.out;
  product.columns = shape.taps * shape.in;
  product.left = {static_cast<const float*>(diff_dst) + first * points * shape.out, shape.out, nullptr};
  product.right = {static_cast<const float*>(src) + first * pixels * shape.in, shape.in, nullptr};
  product.dst = {to, product.columns, nullptr};
  if (shape.pointwise()) {
    product.depth = images * points;
    return run_tiled(product);
  }
  product.group = shape.taps == 1 ? 0 : shape.in;
  const int64_t together = std::max<int64_t>(1, kRowsPerRun / points);
  for (int64_t done = 0, count; done < images; done += count) {
    count = std::min(together, images - done);
    const auto tables = pixels_under_kernel(shape, product.right.first, count);
    product.depth = count * points;
    product.right.table = tables.data();
    run_tiled(product);
    product.accumulate = true;
    product.left.first += count * points * shape.out;
    product.right.first += count * pixels * shape.in;
  }
}

// Whether images should go to different threads, each with weights of its own to add to: when there are many pixels for
// every weight, or each thread would read all of them.
int64_t slices(const Shape& shape) {
  constexpr int64_t kMostWeights = 1 << 17;
  const int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  const int64_t weights = shape.out * shape.taps * shape.in;
  if (threads == 1 || weights > kMostWeights)
    return 1;
  return std::min(shape.images, 2 * threads);
}

// The same of all images, by `count` threads or so that add up in memory of their own.
void add_slices(const Shape& shape, const void* src, const void* diff_dst, int64_t count, float* dst) {
  const int64_t weights = shape.out * shape.taps * shape.in;
  const auto memory = forms::allocate(static_cast<size_t>(count * weights) * sizeof(float));
  auto* sums = static_cast<float*>(memory.get());
  std::atomic<int64_t> next{0};
  at::parallel_for(0, std::min<int64_t>(count, at::get_num_threads()), 1, [&](int64_t, int64_t) {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      const int64_t begin = shape.images * i / count, end = shape.images * (i + 1) / count;
      add_images(shape, src, diff_dst, begin, end - begin, sums + i * weights);
    }
  });
  // Always in the same order, whichever thread made them.
  for (int64_t w = 0; w < weights; ++w) {
    float sum = sums[w];
    for (int64_t i = 1; i < count; ++i)
      sum += sums[i * weights + w];
    dst[w] = sum;
  }
}

} // namespace

bool takes_tiled_diff_src(const ConvolutionCall& call) {
  if (!serves(call))
    return false;
  const Shape shape(call);
  return shape.taps == 1 && shape.padding == Point{} && volume(shape.stride) > 1;
}

bool takes_tiled_diff_weights(const ConvolutionCall& call) {
  if (!serves(call))
    return false;
  const Shape shape(call);
  return (shape.taps == 1 || shape.in % simd::kPanel == 0) && shape.images * volume(shape.dst) >= 2 * simd::kPanel;
}

onednn::Layout exchange_channels(onednn::Layout weights) {
  std::swap(weights.sizes[0], weights.sizes[1]);
  std::swap(weights.strides[0], weights.strides[1]);
  return weights;
}

void tiled_diff_src(const ConvolutionCall& call, const void* diff_dst, const void* weights, void* diff_src) {
  const Shape shape(call);
  const TiledExecution execution(
      "convolution",
      [&] { return shape.problem("backward_data"); },
      [&] { return profile::Details{{onednn::operand_of(call.spec.dst), onednn::operand_of(call.spec.weights)}}; });
  const int64_t rows = shape.images * volume(shape.dst), elements = call.spec.src.elements();
  constexpr int64_t kPerThread = 1 << 16;
  at::parallel_for(0, elements, kPerThread, [&](int64_t begin, int64_t end) {
    std::fill(static_cast<float*>(diff_src) + begin, static_cast<float*>(diff_src) + end, 0.0f);
  });
  const Tables<float> met(rows, 0);
  const Sampling s{shape.dst, shape.stride, {}, shape.src, shape.in};
  locate<float>(s, static_cast<float*>(diff_src), shape.images, nullptr, met.data());
  simd::MatrixProduct product;
  product.rows = rows;
  product.columns = shape.in;
  product.depth = shape.out;
  product.left = {static_cast<const float*>(diff_dst), shape.out, nullptr};
  product.right = {static_cast<const float*>(weights), shape.out * simd::kPanel, nullptr};
  product.dst.table = met.data();
  run_tiled(product);
}

bool tiled_diff_weights(const ConvolutionCall& call, const void* src, const void* diff_dst, void* diff_weights) {
  const Shape shape(call);
  const TiledExecution execution(
      "convolution",
      [&] { return shape.problem("backward_weights"); },
      [&] { return profile::Details{{onednn::operand_of(call.spec.src), onednn::operand_of(call.spec.dst)}}; });
  auto* dst = static_cast<float*>(diff_weights);
  const int64_t count = slices(shape), weights = shape.out * shape.taps * shape.in;
  if (count == 1)
    add_images(shape, src, diff_dst, 0, shape.images, dst);
  else
    add_slices(shape, src, diff_dst, count, dst);
  return shape.padding == Point{} || std::none_of(dst, dst + weights, [](float w) { return std::isnan(w); });
}

} // namespace ipex::ops
