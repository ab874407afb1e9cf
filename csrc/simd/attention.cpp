// Attention forward: a block of queries against all keys of its head, with the scores in the caches.
//
// K and V are packed once per head. The scores of a block are complete before the softmax, which therefore needs no
// running maximum: 48 queries by 1024 keys are 200 KB.
#include "simd/attention.h"

#include "simd/attention_rows.h"

namespace ipex::simd::IPEX_SIMD {

namespace {

struct Buffers {
  float* keys; // [panels of tokens, size, 16]
  float* values; // [panels of elements, tokens, 16]
  float* row; // 16 padded rows
  float* queries; // [rows, size]
  float* scores; // [rows, stride]
  float* sums; // [rows, value size in panels]
  int64_t stride;
  int64_t end; // floats in all
};

// 16 floats more than a power of two: rows must not share a cache set.
Buffers buffers(const Attention& call, int64_t rows, float* scratch) {
  Buffers at;
  int64_t offset = 0;
  const auto take = [&](int64_t count) {
    float* address = scratch + offset;
    offset += round_up(count, kPanel);
    return address;
  };
  const int64_t size = round_up(call.size, 4), value_size = round_up(call.value_size, kPanel);
  const int64_t tokens = round_up(call.keys, kPanel);
  at.stride = tokens + kPanel;
  at.keys = take(tokens * size);
  at.values = take(call.keys * value_size);
  at.row = take(kPanel * (size > value_size ? size : value_size));
  at.queries = take(rows * size);
  at.scores = take(rows * at.stride);
  at.sums = take(rows * value_size);
  at.end = offset;
  return at;
}

bool has_nan(const float* row, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    if (row[i] != row[i])
      return true;
  return false;
}

// row = row + mask; the largest value that is not NaN.
float score(float* row, int64_t count, const float* mask, int64_t step) {
  V most = splat(-kInfinity);
  int64_t i = 0;
  if (mask == nullptr)
    for (; i + kLanes <= count; i += kLanes)
      most = larger(load(row + i), most);
  else if (step == 1)
    for (; i + kLanes <= count; i += kLanes) {
      const V value = load(row + i) + load(mask + i);
      store(row + i, value);
      most = larger(value, most);
    }
  float top = largest(most);
  for (; i < count; ++i) {
    row[i] += mask == nullptr ? 0 : mask[i * step];
    top = row[i] > top ? row[i] : top;
  }
  return top;
}

// row = exp(row - top), zero from `count` to `end`, which is a multiple of 16; its sum. A row of nothing but -inf becomes
// zero unless `nan_when_hidden`.
float exponentials(float* row, int64_t count, int64_t end, float top, bool nan_when_hidden) {
  if (top == -kInfinity && !nan_when_hidden && !has_nan(row, count)) {
    std::memset(row, 0, static_cast<size_t>(end) * sizeof(float));
    return 0;
  }
  for (int64_t i = count; i < end; ++i)
    row[i] = -kInfinity;
  V sums{};
  for (int64_t i = 0; i < end; i += kLanes) {
    const V value = exp_of_negative(load(row + i) - top);
    store(row + i, value);
    sums += value;
  }
  return sum(sums);
}

// Whether the queries are too few for packing to pay: a text that grows token by token.
bool unpacked(const Attention& call) {
  return call.queries <= 2 && call.type == Type::f32 && call.k.strides[3] == 1 && call.v.strides[3] == 1;
}

// scores[r][t] = queries[r] k[t]
void products(
    const float* queries,
    int64_t stride,
    int64_t rows,
    const Head& k,
    int64_t keys,
    int64_t size,
    float* scores,
    int64_t scores_stride) {
  for (int64_t t = 0; t < keys; ++t) {
    prefetch_row(k, t + kAhead, size);
    const float* key = reinterpret_cast<const float*>(k.data) + t * k.token;
    for (int64_t r = 0; r < rows; ++r)
      scores[r * scores_stride + t] = dot(queries + r * stride, key, size);
  }
}

// sums[r] = sum over t of scores[r][t] v[t]
void weighted_sums(
    const float* scores,
    int64_t stride,
    int64_t rows,
    const Head& v,
    int64_t keys,
    int64_t size,
    float* sums,
    int64_t sums_stride) {
  constexpr int kRegisters = 8;
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = reinterpret_cast<const float*>(v.data);
    const float* weights = scores + r * stride;
    float* to = sums + r * sums_stride;
    int64_t e = 0;
    for (; e + kRegisters * kLanes <= size; e += kRegisters * kLanes) {
      V acc[kRegisters] = {};
      for (int64_t t = 0; t < keys; ++t) {
        prefetch_row(v, t + kAhead, size);
        const V weight = splat(weights[t]);
#pragma GCC unroll 8
        for (int i = 0; i < kRegisters; ++i)
          acc[i] += weight * load(from + t * v.token + e + i * kLanes);
      }
      for (int i = 0; i < kRegisters; ++i)
        store(to + e + i * kLanes, acc[i]);
    }
    for (int64_t i = e; i < size; ++i)
      to[i] = 0;
    for (int64_t t = 0; t < keys; ++t)
      for (int64_t i = e; i < size; ++i)
        to[i] += weights[t] * from[t * v.token + i];
  }
}

void block(const Attention& call, const Buffers& at, int64_t batch, int64_t head, int64_t first, int64_t rows) {
  const int64_t size = round_up(call.size, 4), value_panels = round_up(call.value_size, kPanel) / kPanel;
  load_rows(Head(call.q, call.type, batch, head), first, rows, call.size, at.queries, size);
  for (int64_t i = 0; i < rows * size; ++i)
    at.queries[i] *= call.scale;
  const int64_t keys = visible(call, first + rows - 1), end = round_up(keys, kPanel);
  const Head k(call.k, call.type, batch, head), v(call.v, call.type, batch, head);
  if (unpacked(call))
    products(at.queries, size, rows, k, keys, call.size, at.scores, at.stride);
  else
    gemm(
        rows,
        call.size,
        end / kPanel,
        {at.queries, size, 1},
        {at.keys, size * kPanel},
        {at.scores, at.stride, kPanel, false});
  float tops[64], totals[64];
  bool infinite[64]; // a score is +inf and none NaN
  for (int64_t r = 0; r < rows; ++r) {
    const float* mask = call.mask == nullptr
        ? nullptr
        : call.mask + batch * call.mask_strides[0] + head * call.mask_strides[1] + (first + r) * call.mask_strides[2];
    float* row = at.scores + r * at.stride;
    const int64_t count = visible(call, first + r);
    tops[r] = score(row, count, mask, call.mask_strides[3]);
    infinite[r] = tops[r] == kInfinity && !has_nan(row, count);
    totals[r] = exponentials(row, count, end, tops[r], call.nan_when_hidden);
  }
  const int64_t sums_stride = value_panels * kPanel;
  if (unpacked(call))
    weighted_sums(at.scores, at.stride, rows, v, keys, call.value_size, at.sums, sums_stride);
  else
    gemm(
        rows,
        keys,
        value_panels,
        {at.scores, at.stride, 1},
        {at.values, call.keys * kPanel},
        {at.sums, sums_stride, kPanel, false});
  const Head dst(call.dst, call.type, batch, head);
  for (int64_t r = 0; r < rows; ++r) {
    const float total = totals[r] == 0 ? 1 : totals[r], factor = 1 / total;
    store_row(dst, first + r, call.value_size, at.sums + r * sums_stride, factor);
    if (call.logsumexp != nullptr) {
      const int64_t* strides = call.logsumexp_strides;
      const float top = totals[r] == 0 ? 0 : tops[r];
      call.logsumexp[batch * strides[0] + head * strides[1] + (first + r) * strides[2]] =
          infinite[r] ? kInfinity : top + log(total);
    }
    if (call.weights != nullptr) {
      float* weights = call.weights + ((batch * call.heads + head) * call.queries + first + r) * call.keys;
      for (int64_t i = 0; i < call.keys; ++i)
        weights[i] = at.scores[r * at.stride + i] * factor;
    }
  }
}

} // namespace

int64_t attention_rows(const Attention& call) {
  const int64_t most = call.keys <= 512 ? 48 : call.keys <= 2048 ? 24 : 12;
  const int64_t blocks = (call.queries + most - 1) / most;
  return round_up((call.queries + blocks - 1) / blocks, kRows);
}

int64_t attention_scratch(const Attention& call) {
  return buffers(call, attention_rows(call), nullptr).end * static_cast<int64_t>(sizeof(float));
}

void attention(const Attention& call, int64_t begin, int64_t end, float* scratch) {
  const int64_t rows = attention_rows(call), blocks = (call.queries + rows - 1) / rows;
  const Buffers at = buffers(call, rows, scratch);
  for (int64_t task = begin; task < end; ++task) {
    const int64_t head = task / blocks % call.heads, batch = task / blocks / call.heads;
    if (!unpacked(call) && (task == begin || task % blocks == 0)) {
      pack_transposed(Head(call.k, call.type, batch, head), call.keys, call.size, at.keys, at.row);
      pack_rows(Head(call.v, call.type, batch, head), 0, call.keys, call.value_size, at.values, at.row);
    }
    const int64_t first = task % blocks * rows;
    block(call, at, batch, head, first, least(rows, call.queries - first));
  }
}

} // namespace ipex::simd::IPEX_SIMD
