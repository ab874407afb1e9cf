// A pixel of dst is a row of the product; under each place of the kernel ("tap") it has a row of src, or of zeros where
// that lies outside. Tables of pointers to these rows are made per call, for some images at a time: writing one costs a
// nanosecond or less, using it tens of them.
#include "ops/tiled_convolution.h"

#include <ATen/Parallel.h>
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "forms/block.h"
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
        direction, ",src_f32 wei_f32 dst_f32,,alg:convolution_direct,mb", images, "_ic", in, "oc", out, "_id_ih_iw",
        list(src), "_od_oh_ow", list(dst), "_kd_kh_kw", list(kernel), "_sd_sh_sw", list(stride), "_dd_dh_dw",
        list(dilation), "_pd_ph_pw", list(padding));
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
      : memory_(forms::allocate(static_cast<size_t>(entries) * sizeof(T*) + static_cast<size_t>(zeros) * sizeof(float))),
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

template <class Body>
void for_each_tap(int64_t taps, int64_t rows, const Body& body) {
  constexpr int64_t kEntriesPerThread = 8192;
  at::parallel_for(0, taps, std::max<int64_t>(1, kEntriesPerThread / rows), [&](int64_t begin, int64_t end) {
    for (int64_t tap = begin; tap < end; ++tap)
      body(tap);
  });
}

// Calls body(first image, number of images) for groups whose tables stay small.
template <class Body>
void for_image_groups(int64_t images, int64_t rows_each, const Body& body) {
  const int64_t most = std::max<int64_t>(1, kRowsPerRun / rows_each);
  for (int64_t first = 0; first < images; first += most)
    body(first, std::min(most, images - first));
}

// For each tap the pixel of src that each pixel of dst meets, [taps, images, points].
Tables<const float> pixels_under_kernel(const Shape& shape, const float* src, int64_t images) {
  const int64_t rows = images * volume(shape.dst);
  Tables<const float> tables(shape.taps * rows, shape.in);
  for_each_tap(shape.taps, rows, [&](int64_t index) {
    const Point tap = shape.tap(index);
    Sampling s{shape.dst, shape.stride, {}, shape.src, shape.in};
    for (int i = 0; i < kSpatial; ++i)
      s.start[i] = tap[i] * shape.dilation[i] - shape.padding[i];
    locate<const float>(s, src, images, tables.zeros(), tables.data() + index * rows);
  });
  return tables;
}

bool plain(const ConvolutionCall& call) {
  return takes_tiled_products(call.spec.dst.dtype) && !call.spec.geometry.transposed && call.groups == 1;
}

} // namespace

bool takes_tiled_convolution(const ConvolutionCall& call) {
  return plain(call) && std::min(call.spec.src.sizes[1], call.spec.dst.sizes[1]) >= simd::kPanel;
}

bool takes_tiled_diff_weights(const ConvolutionCall& call) {
  const Shape shape(call);
  return takes_tiled_convolution(call) && (shape.taps == 1 || shape.in % simd::kPanel == 0) &&
      shape.images * volume(shape.dst) >= 2 * simd::kPanel;
}

onednn::Layout exchange_channels(onednn::Layout weights) {
  std::swap(weights.sizes[0], weights.sizes[1]);
  std::swap(weights.strides[0], weights.strides[1]);
  return weights;
}

void tiled_convolution(const ConvolutionCall& call, const void* src, const void* weights, const void* bias, void* dst) {
  const Shape shape(call);
  const auto problem = [&] { return shape.problem("forward_inference"); };
  simd::MatrixProduct product;
  product.columns = shape.out;
  product.depth = shape.in;
  product.right = {static_cast<const float*>(weights), shape.taps * shape.in * simd::kPanel, nullptr};
  product.bias = static_cast<const float*>(bias);
  product.dst = {static_cast<float*>(dst), shape.out, nullptr};
  product.left = {static_cast<const float*>(src), shape.in, nullptr};
  const int64_t points = volume(shape.dst), pixels = volume(shape.src);
  if (shape.pointwise()) {
    product.rows = shape.images * points;
    return run_tiled("convolution", product, problem);
  }
  product.segments = shape.taps;
  for_image_groups(shape.images, points, [&](int64_t first, int64_t images) {
    const auto tables = pixels_under_kernel(shape, static_cast<const float*>(src) + first * pixels * shape.in, images);
    simd::MatrixProduct part = product;
    part.rows = images * points;
    part.left.table = tables.data();
    part.dst.first += first * points * shape.out;
    run_tiled("convolution", part, problem);
  });
}

// Pixels of src that are `stride` apart meet the same taps, so they make a product of their own.
void tiled_convolution_diff_src(const ConvolutionCall& call, const void* diff_dst, const void* weights, void* diff_src) {
  const Shape shape(call);
  const auto problem = [&] { return shape.problem("backward_data"); };
  simd::MatrixProduct product;
  product.columns = shape.in;
  product.depth = shape.out;
  product.right = {static_cast<const float*>(weights), shape.taps * shape.out * simd::kPanel, nullptr};
  product.dst = {static_cast<float*>(diff_src), shape.in, nullptr};
  product.left = {static_cast<const float*>(diff_dst), shape.out, nullptr};
  const int64_t points = volume(shape.dst), pixels = volume(shape.src);
  if (shape.pointwise()) {
    product.rows = shape.images * points;
    return run_tiled("convolution", product, problem);
  }
  const int64_t phases = volume(shape.stride);
  for (int64_t phase = 0; phase < phases; ++phase) {
    const Point from = {
        phase / (shape.stride[1] * shape.stride[2]),
        phase / shape.stride[2] % shape.stride[1],
        phase % shape.stride[2]};
    Sampling to{{}, shape.stride, from, shape.src, shape.in};
    for (int i = 0; i < kSpatial; ++i)
      to.points[i] = from[i] < shape.src[i] ? (shape.src[i] - from[i] - 1) / shape.stride[i] + 1 : 0;
    const int64_t here = volume(to.points);
    if (here == 0)
      continue;
    std::vector<int32_t> taps;
    std::vector<Point> starts;
    for (int64_t index = 0; index < shape.taps; ++index) {
      const Point tap = shape.tap(index);
      Point start;
      bool meets = true;
      for (int i = 0; i < kSpatial; ++i) {
        const int64_t distance = from[i] + shape.padding[i] - tap[i] * shape.dilation[i];
        meets &= distance % shape.stride[i] == 0;
        start[i] = distance / shape.stride[i];
      }
      if (meets) {
        taps.push_back(static_cast<int32_t>(index));
        starts.push_back(start);
      }
    }
    const auto count = static_cast<int64_t>(taps.size());
    for_image_groups(shape.images, here, [&](int64_t first, int64_t images) {
      const int64_t rows = images * here;
      auto* base = static_cast<float*>(diff_src) + first * pixels * shape.in;
      const Tables<float> results(rows, 0);
      locate<float>(to, base, images, nullptr, results.data());
      if (count == 0) {
        for (int64_t row = 0; row < rows; ++row)
          std::fill_n(results.data()[row], shape.in, 0.0f);
        return;
      }
      const Tables<const float> tables(count * rows, shape.out);
      for_each_tap(count, rows, [&](int64_t index) {
        const Sampling s{to.points, {1, 1, 1}, starts[index], shape.dst, shape.out};
        const float* read = static_cast<const float*>(diff_dst) + first * points * shape.out;
        locate<const float>(s, read, images, tables.zeros(), tables.data() + index * rows);
      });
      simd::MatrixProduct part = product;
      part.rows = rows;
      part.segments = count;
      part.panel_segments = taps.data();
      part.left.table = tables.data();
      part.dst.table = results.data();
      run_tiled("convolution", part, problem);
    });
  }
}

void tiled_convolution_diff_weights(
    const ConvolutionCall& call,
    const void* src,
    const void* diff_dst,
    void* diff_weights) {
  const Shape shape(call);
  const auto problem = [&] { return shape.problem("backward_weights"); };
  const int64_t points = volume(shape.dst), pixels = volume(shape.src);
  simd::MatrixProduct product;
  product.operands = simd::MatrixProduct::Operands::gradient;
  product.rows = shape.out;
  product.columns = shape.taps * shape.in;
  product.depth = shape.images * points;
  product.left = {static_cast<const float*>(diff_dst), shape.out, nullptr};
  product.right = {static_cast<const float*>(src), shape.in, nullptr};
  product.dst = {static_cast<float*>(diff_weights), product.columns, nullptr};
  if (shape.pointwise())
    return run_tiled("convolution", product, problem);
  product.group = shape.taps == 1 ? 0 : shape.in;
  for_image_groups(shape.images, points, [&](int64_t first, int64_t images) {
    const auto tables = pixels_under_kernel(shape, static_cast<const float*>(src) + first * pixels * shape.in, images);
    simd::MatrixProduct part = product;
    part.depth = images * points;
    part.accumulate = first != 0;
    part.left.first += first * points * shape.out;
    part.right.table = tables.data();
    run_tiled("convolution", part, problem);
  });
}

} // namespace ipex::ops
