// log_softmax(src)[c] = src[c] - max - log sum_c exp(src[c] - max) over `dim`.
//
//   schema  aten::_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor
//   src     any strides, `dim` the last dimension that is not 1; f32, bf16, f16
//   dst     same shape and dtype, contiguous
//   else    CPU fallback: other dimensions and dtypes, no elements, half_to_float
//   errors  IndexError when `dim` is out of range, RuntimeError when half_to_float is set (a mode for GPUs)
//   note    oneDNN's log_softmax is off by up to 4e-6 and takes twice as long as stock PyTorch with AVX2, so float32 runs
//           its softmax: log sum_c exp(src[c] - max) = -log max_c softmax(src)[c]
//   source  oneDNN developer guide, "Softmax"
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "aten/fallback.h"
#include "forms/storage.h"
#include "onednn/softmax.h"
#include "ops/kernels.h"
#include "ops/nonfinite.h"
#include "ops/softmax_rows.h"
#include "ops/target_clones.h"

namespace ipex::ops {

namespace {

// The bits of a float as an integer that orders as the float does: NaN < -inf < ... < inf < NaN. Its own inverse.
constexpr int32_t ordered(int32_t bits) {
  return bits ^ ((bits >> 31) & std::numeric_limits<int32_t>::max());
}

constexpr int32_t kInfinity = 0x7F800000;
constexpr int32_t kNegativeInfinity = ordered(std::bit_cast<int32_t>(0xFF800000));

// Turns rows of softmax in `dst` into rows of log-softmax. A row of `src` with a NaN, +inf or nothing but -inf gives
// NaN.
IPEX_TARGET_CLONES void log_rows(const int32_t* src, int32_t* dst, int64_t rows, int64_t channels) {
  for (int64_t row = 0; row < rows; ++row, src += channels, dst += channels) {
    int32_t smallest = std::numeric_limits<int32_t>::max();
    int32_t largest = std::numeric_limits<int32_t>::min();
    int32_t largest_softmax = 0; // not negative, so bits order as values do
    for (int64_t c = 0; c < channels; ++c) {
      smallest = std::min(smallest, ordered(src[c]));
      largest = std::max(largest, ordered(src[c]));
      largest_softmax = std::max(largest_softmax, dst[c]);
    }
    const bool regular = smallest >= kNegativeInfinity && largest > kNegativeInfinity && largest < kInfinity;
    const float max = std::bit_cast<float>(ordered(largest));
    const float log_sum =
        regular ? -std::log(std::bit_cast<float>(largest_softmax)) : std::numeric_limits<float>::quiet_NaN();
    for (int64_t c = 0; c < channels; ++c)
      dst[c] = std::bit_cast<int32_t>(std::bit_cast<float>(src[c]) - max - log_sum);
  }
}

void log_of_softmax(const at::Tensor& src, const at::Tensor& dst, int64_t channels) {
  const auto* from = static_cast<const int32_t*>(read_bytes(src));
  auto* to = static_cast<int32_t*>(write_bytes(dst));
  const int64_t grain = std::max<int64_t>(1, 16384 / channels);
  at::parallel_for(0, src.numel() / channels, grain, [&](int64_t begin, int64_t end) {
    log_rows(from + begin * channels, to + begin * channels, end - begin, channels);
  });
}

} // namespace

at::Tensor _log_softmax(const at::Tensor& self, int64_t dim, bool half_to_float) {
  const auto rows = softmax_rows(self, dim);
  const bool f32 = self.scalar_type() == at::kFloat; // in 16 bits the error of oneDNN's logarithm does not show
  const auto algorithm = f32 ? dnnl::algorithm::softmax_accurate : dnnl::algorithm::softmax_log;
  const auto kernel = rows && !half_to_float ? onednn::find(onednn::SoftmaxForward{algorithm, 1, *rows}) : nullptr;
  if (!kernel)
    return fallback<at::_ops::_log_softmax>(self, dim, half_to_float);

  const at::Tensor src = self.contiguous();
  at::Tensor dst = at::empty(src.sizes(), src.options());
  kernel->run({{DNNL_ARG_SRC, read_bytes(src)}, {DNNL_ARG_DST, write_bytes(dst)}});
  if (f32)
    log_of_softmax(src, dst, rows->sizes[1]);
  else
    spread_nan(src, dst, rows->sizes[1]);
  return dst;
}

} // namespace ipex::ops
