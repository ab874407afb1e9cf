// dot(self, tensor) = sum over i of self[i] * tensor[i]
//
//   schema  aten::dot(Tensor self, Tensor tensor) -> Tensor
//   src     two vectors of one size, any strides; f32
//   dst     a scalar
//   else    CPU fallback: other dtypes, no elements
//   errors  RuntimeError when sizes or dtypes differ
//   source  our own loop
#include <ATen/Parallel.h>

#include "aten/fallback.h"
#include "core/target_clones.h"
#include "forms/operand.h"
#include "ops/kernels.h"

namespace ipex::ops {

namespace {

constexpr int64_t kGrain = 32768; // elements per thread at least

IPEX_TARGET_CLONES float dot_of(const float* a, const float* b, int64_t count) {
  constexpr int kLanes = 32; // independent sums, for vectors and against the latency of additions
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane)
      sums[lane] += a[i + lane] * b[i + lane];
  float total = 0;
  for (; i < count; ++i)
    total += a[i] * b[i];
  for (int lane = 0; lane < kLanes; ++lane)
    total += sums[lane];
  return total;
}

bool fits(const at::Tensor& a, const at::Tensor& b) {
  return forms::readable(a) && forms::readable(b) && a.scalar_type() == at::kFloat && b.scalar_type() == at::kFloat &&
      a.dim() == 1 && b.dim() == 1 && a.size(0) == b.size(0) && a.size(0) != 0;
}

} // namespace

at::Tensor dot(const at::Tensor& self, const at::Tensor& tensor) {
  if (!fits(self, tensor))
    return fallback<at::_ops::dot>(self, tensor);
  const auto a = forms::read_as(self, {1}), b = forms::read_as(tensor, {1});
  const auto dst = forms::make_contiguous_result({}, self.options());
  *static_cast<float*>(dst.data) = at::parallel_reduce(
      0,
      self.size(0),
      kGrain,
      0.f,
      [&](int64_t begin, int64_t end, float sum) {
        return sum +
            dot_of(static_cast<const float*>(a.data) + begin, static_cast<const float*>(b.data) + begin, end - begin);
      },
      std::plus<float>());
  return dst.tensor;
}

} // namespace ipex::ops
