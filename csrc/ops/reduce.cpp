// Finds out how kept and reduced dimensions alternate in memory, and sums accordingly.
#include "ops/reduce.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bitset>
#include <numeric>

#include "core/profile.h"
#include "core/target_clones.h"
#include "forms/operand.h"
#include "ops/channel_rows.h"
#include "ops/column_sum.h"

namespace ipex::ops {

namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kBlock = 4096; // elements that are summed in float32

IPEX_TARGET_CLONES double sum_block(const float* src, int64_t count) {
  constexpr int64_t kLanes = 32;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] += src[i + lane];
  for (int64_t lane = 0; i < count; ++i, ++lane)
    lanes[lane] += src[i];
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane)
      lanes[lane] += lanes[lane + half];
  return lanes[0];
}

double sum_of(const float* src, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i += kBlock)
    sum += sum_block(src + i, std::min(kBlock, count - i));
  return sum;
}

double parallel_sum_of(const float* src, int64_t count) {
  const profile::Kernel profiled("sum");
  const int64_t parts = std::clamp<int64_t>(count / kGrain, 1, at::get_num_threads());
  std::vector<double> sums(parts);
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = count * part / parts;
      sums[part] = sum_of(src + first, count * (part + 1) / parts - first);
    }
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

// How the elements alternate from slow to fast: [outer reduced,] [outer kept, reduced,] kept. Sizes may be 1.
struct Pattern {
  int64_t outer_reduced = 1;
  int64_t outer = 1;
  int64_t reduced = 1;
  int64_t inner = 1;
};

constexpr int64_t kMaxRank = onednn::Layout::kMaxRank;
using Dims = std::bitset<kMaxRank>;

// `order` lists the dimensions from slow to fast.
std::optional<Pattern> pattern_of(c10::IntArrayRef sizes, const c10::DimVector& order, Dims reduced) {
  std::vector<std::pair<bool, int64_t>> runs; // whether reduced, elements
  for (const int64_t dim : order) {
    if (sizes[dim] == 1)
      continue;
    if (runs.empty() || runs.back().first != reduced[dim])
      runs.emplace_back(reduced[dim], 1);
    runs.back().second *= sizes[dim];
  }
  Pattern pattern;
  const auto take = [&](bool kind, int64_t& to) {
    if (!runs.empty() && runs.back().first == kind) {
      to = runs.back().second;
      runs.pop_back();
    }
  };
  take(false, pattern.inner);
  take(true, pattern.reduced);
  take(false, pattern.outer);
  if (pattern.inner == 1)
    take(true, pattern.outer_reduced);
  return runs.empty() ? std::optional(pattern) : std::nullopt;
}

// dst[o, i] = sum over r of src[o, r, i], divided.
void sum_columns(const float* src, const Pattern& p, double divisor, float* dst) {
  const profile::Kernel profiled("sum");
  // Few numbers per sum need no more than float32, and many columns no table of sums in float64.
  constexpr int64_t kFewRows = 32, kManyColumns = 4096;
  const bool in_float = p.reduced <= kFewRows && p.inner >= kManyColumns;
  const auto one = [&](int64_t outer) {
    const float* from = src + outer * p.reduced * p.inner;
    float* to = dst + outer * p.inner;
    if (in_float) {
      column_sum(from, to, p.reduced, p.inner, at::kFloat);
      if (divisor != 1)
        for (int64_t i = 0; i < p.inner; ++i)
          to[i] /= static_cast<float>(divisor);
      return;
    }
    const auto sums = channel_sums(from, {p.reduced, p.inner});
    for (int64_t i = 0; i < p.inner; ++i)
      to[i] = static_cast<float>(sums[i] / divisor);
  };
  if (p.outer < at::get_num_threads()) {
    for (int64_t outer = 0; outer < p.outer; ++outer)
      one(outer);
    return;
  }
  const int64_t grain = std::max<int64_t>(1, kGrain / (p.reduced * p.inner));
  at::parallel_for(0, p.outer, grain, [&](int64_t begin, int64_t end) {
    for (int64_t outer = begin; outer < end; ++outer)
      one(outer);
  });
}

// dst[o] = sum over q and r of src[q, o, r], divided.
void sum_rows(const float* src, const Pattern& p, double divisor, float* dst) {
  if (p.outer == 1 && p.outer_reduced == 1) {
    dst[0] = static_cast<float>(parallel_sum_of(src, p.reduced) / divisor);
    return;
  }
  const profile::Kernel profiled("sum");
  const int64_t grain = std::max<int64_t>(1, kGrain / (p.outer_reduced * p.reduced));
  at::parallel_for(0, p.outer, grain, [&](int64_t begin, int64_t end) {
    for (int64_t outer = begin; outer < end; ++outer) {
      double sum = 0;
      for (int64_t q = 0; q < p.outer_reduced; ++q)
        sum += sum_of(src + (q * p.outer + outer) * p.reduced, p.reduced);
      dst[outer] = static_cast<float>(sum / divisor);
    }
  });
}

// The dimensions to reduce; nothing when one is out of range or named twice.
std::optional<Dims> reduced_dims(const at::Tensor& self, at::OptionalIntArrayRef dims) {
  Dims reduced;
  if (!dims || dims->empty())
    return reduced.set();
  for (int64_t dim : *dims) {
    dim += dim < 0 ? self.dim() : 0;
    if (dim < 0 || dim >= self.dim() || reduced[dim])
      return std::nullopt;
    reduced.set(dim);
  }
  return reduced;
}

} // namespace

std::optional<at::Tensor> reduce(
    const at::Tensor& self,
    at::OptionalIntArrayRef dims,
    bool keepdim,
    std::optional<at::ScalarType> dtype,
    bool mean) {
  if (!forms::readable(self) || self.scalar_type() != at::kFloat || dtype.value_or(at::kFloat) != at::kFloat ||
      self.dim() == 0 || self.numel() == 0)
    return std::nullopt;
  const auto reduced = reduced_dims(self, dims);
  if (!reduced)
    return std::nullopt;
  auto src = forms::read(self);
  if (!src.dense())
    src = forms::read_as(self, forms::row_major_strides(self.sizes()));
  c10::DimVector order(self.dim());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(
      order.begin(), order.end(), [&](int64_t a, int64_t b) { return src.strides()[a] > src.strides()[b]; });
  const auto pattern = pattern_of(self.sizes(), order, *reduced);
  if (!pattern)
    return std::nullopt;

  // The kept dimensions lie in the result as they lie in src.
  c10::DimVector sizes, physical, places(self.dim(), -1);
  int64_t count = 1, stride = 1;
  for (int64_t dim = 0; dim < self.dim(); ++dim) {
    if ((*reduced)[dim])
      count *= self.size(dim);
    if (!(*reduced)[dim] || keepdim) {
      places[dim] = static_cast<int64_t>(sizes.size());
      sizes.push_back((*reduced)[dim] ? 1 : self.size(dim));
    }
  }
  physical.resize(sizes.size());
  for (auto dim = order.rbegin(); dim != order.rend(); ++dim)
    if (places[*dim] >= 0) {
      physical[places[*dim]] = stride;
      stride *= sizes[places[*dim]];
    }
  const auto dst = forms::make_result(sizes, forms::row_major_strides(sizes), physical, self.options());
  const auto* from = static_cast<const float*>(src.data);
  const auto divisor = static_cast<double>(mean ? count : 1);
  if (pattern->inner > 1)
    sum_columns(from, *pattern, divisor, static_cast<float*>(dst.data));
  else
    sum_rows(from, *pattern, divisor, static_cast<float*>(dst.data));
  return dst.tensor;
}

} // namespace ipex::ops
