// Attention backward, one head after the other. With p = exp(scale * q k^T + mask - logsumexp):
//
//   diff_v = p^T diff_dst,  d = p * (diff_dst v^T - rowsum(diff_dst * dst)) * scale,  diff_q = d k,  diff_k = d^T q
#include "simd/attention.h"

#include "simd/attention_rows.h"

namespace ipex::simd::IPEX_SIMD {

namespace {

constexpr int64_t kBlock = 48; // queries

struct Buffers {
  float *keys_transposed, *keys, *values_transposed; // packed, for the whole head
  float *queries_packed, *diff_packed; // panels of a block
  float *row, *queries, *diff, *dst; // rows of a block
  float *p, *d; // [block, stride]
  float* diff_q; // [block, size]
  float *diff_k, *diff_v; // [tokens, size], for the whole head
  int64_t stride;
  int64_t end;
};

Buffers buffers(const Attention& call, float* scratch) {
  Buffers at;
  int64_t offset = 0;
  const auto take = [&](int64_t count) {
    float* address = scratch + offset;
    offset += round_up(count, kPanel);
    return address;
  };
  const int64_t size = round_up(call.size, kPanel), tokens = round_up(call.keys, kPanel);
  at.stride = tokens + kPanel;
  at.keys_transposed = take(tokens * size);
  at.keys = take(tokens * size);
  at.values_transposed = take(tokens * size);
  at.queries_packed = take(kBlock * size);
  at.diff_packed = take(kBlock * size);
  at.row = take(kPanel * size);
  at.queries = take(kBlock * size);
  at.diff = take(kBlock * size);
  at.dst = take(kBlock * size);
  at.p = take(kBlock * at.stride);
  at.d = take(kBlock * at.stride);
  at.diff_q = take(kBlock * size);
  at.diff_k = take(tokens * size);
  at.diff_v = take(tokens * size);
  at.end = offset;
  return at;
}

// p = exp(scale * p + mask - logsumexp), zero from `count` to `end`; d = p * (d - shift) * scale.
void gradients(
    const Attention& call,
    float* p,
    float* d,
    int64_t count,
    int64_t end,
    const float* mask,
    float logsumexp,
    float shift) {
  if (mask != nullptr)
    for (int64_t i = 0; i < count; ++i)
      p[i] = p[i] * call.scale + mask[i * call.mask_strides[3]];
  const float scale = mask != nullptr ? 1 : call.scale;
  for (int64_t i = 0; i < end; i += kLanes)
    store(p + i, exp(load(p + i) * scale - logsumexp));
  for (int64_t i = count; i < end; ++i)
    p[i] = d[i] = 0;
  for (int64_t i = 0; i < end; i += kLanes)
    store(d + i, load(p + i) * (load(d + i) - shift) * call.scale);
}

void block(const AttentionBackward& all, const Buffers& at, int64_t batch, int64_t head, int64_t first, int64_t rows) {
  const Attention& call = all.forward;
  const Head q(call.q, call.type, batch, head), diff_dst(all.diff_dst, call.type, batch, head),
      dst(call.dst, call.type, batch, head);
  const int64_t size = round_up(call.size, kPanel), depth = round_up(call.size, 4), panels = size / kPanel;
  const int64_t keys = visible(call, first + rows - 1), end = round_up(keys, kPanel);
  load_rows(q, first, rows, call.size, at.queries, size);
  load_rows(diff_dst, first, rows, call.size, at.diff, size);
  load_rows(dst, first, rows, call.size, at.dst, size);
  pack_rows(q, first, rows, call.size, at.queries_packed, at.row);
  pack_rows(diff_dst, first, rows, call.size, at.diff_packed, at.row);
  const Panels keys_transposed{at.keys_transposed, depth * kPanel},
      values_transposed{at.values_transposed, depth * kPanel};
  gemm(rows, call.size, end / kPanel, {at.queries, size, 1}, keys_transposed, {at.p, at.stride, kPanel, false});
  gemm(rows, call.size, end / kPanel, {at.diff, size, 1}, values_transposed, {at.d, at.stride, kPanel, false});
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t query = first + r;
    const float* mask = call.mask == nullptr
        ? nullptr
        : call.mask + batch * call.mask_strides[0] + head * call.mask_strides[1] + query * call.mask_strides[2];
    const float logsumexp =
        call.logsumexp
            [batch * call.logsumexp_strides[0] + head * call.logsumexp_strides[1] + query * call.logsumexp_strides[2]];
    const float shift = dot(at.diff + r * size, at.dst + r * size, call.size);
    gradients(call, at.p + r * at.stride, at.d + r * at.stride, visible(call, query), end, mask, logsumexp, shift);
  }
  gemm(rows, keys, panels, {at.d, at.stride, 1}, {at.keys, call.keys * kPanel}, {at.diff_q, size, kPanel, false});
  gemm(keys, rows, panels, {at.p, 1, at.stride}, {at.diff_packed, rows * kPanel}, {at.diff_v, size, kPanel, true});
  gemm(keys, rows, panels, {at.d, 1, at.stride}, {at.queries_packed, rows * kPanel}, {at.diff_k, size, kPanel, true});
  const Head diff_q(all.diff_q, call.type, batch, head);
  for (int64_t r = 0; r < rows; ++r)
    store_row(diff_q, first + r, call.size, at.diff_q + r * size, 1);
}

} // namespace

int64_t attention_backward_scratch(const AttentionBackward& all) {
  return buffers(all.forward, nullptr).end * static_cast<int64_t>(sizeof(float));
}

void attention_backward(const AttentionBackward& all, int64_t begin, int64_t end, float* scratch) {
  const Attention& call = all.forward;
  const Buffers at = buffers(call, scratch);
  const int64_t size = round_up(call.size, kPanel);
  for (int64_t task = begin; task < end; ++task) {
    const int64_t batch = task / call.heads, head = task % call.heads;
    const Head k(call.k, call.type, batch, head), v(call.v, call.type, batch, head);
    pack_transposed(k, call.keys, call.size, at.keys_transposed, at.row);
    pack_transposed(v, call.keys, call.size, at.values_transposed, at.row);
    pack_rows(k, 0, call.keys, call.size, at.keys, at.row);
    std::memset(at.diff_k, 0, static_cast<size_t>(call.keys * size) * sizeof(float));
    std::memset(at.diff_v, 0, static_cast<size_t>(call.keys * size) * sizeof(float));
    for (int64_t first = 0; first < call.queries; first += kBlock)
      block(all, at, batch, head, first, least(kBlock, call.queries - first));
    const Head diff_k(all.diff_k, call.type, batch, head), diff_v(all.diff_v, call.type, batch, head);
    for (int64_t t = 0; t < call.keys; ++t) {
      store_row(diff_k, t, call.size, at.diff_k + t * size, 1);
      store_row(diff_v, t, call.size, at.diff_v + t * size, 1);
    }
  }
}

} // namespace ipex::simd::IPEX_SIMD
