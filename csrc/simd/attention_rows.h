// Rows of heads between tensors of any strides and type, and panels of floats.
#pragma once

#include "simd/gemm.h"

namespace ipex::simd::IPEX_SIMD {

namespace {

// One head of a tensor: token t, element e at data[t * token + e * step].
struct Head {
  const char* data;
  int64_t token;
  int64_t step;
  Type type;

  Head(const Heads& all, Type type, int64_t batch, int64_t head)
      : data(
            static_cast<const char*>(all.data) +
            (batch * all.strides[0] + head * all.strides[1]) * (type == Type::f32 ? 4 : 2)),
        token(all.strides[2]),
        step(all.strides[3]),
        type(type) {}
};

inline float widen(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

// Round to nearest, ties to even; NaN stays NaN.
inline uint16_t narrow(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value)
    return 0x7FC0;
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

inline void load_row(const Head& head, int64_t index, int64_t count, float* to) {
  if (head.type == Type::f32) {
    const float* from = reinterpret_cast<const float*>(head.data) + index * head.token;
    if (head.step == 1) {
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
      return;
    }
    for (int64_t i = 0; i < count; ++i)
      to[i] = from[i * head.step];
  } else {
    const uint16_t* from = reinterpret_cast<const uint16_t*>(head.data) + index * head.token;
    for (int64_t i = 0; i < count; ++i)
      to[i] = widen(from[i * head.step]);
  }
}

inline void store_row(const Head& head, int64_t index, int64_t count, const float* from, float factor) {
  if (head.type == Type::f32) {
    float* to = reinterpret_cast<float*>(const_cast<char*>(head.data)) + index * head.token;
    if (head.step == 1)
      for (int64_t i = 0; i < count; ++i)
        to[i] = from[i] * factor;
    else
      for (int64_t i = 0; i < count; ++i)
        to[i * head.step] = from[i] * factor;
  } else {
    uint16_t* to = reinterpret_cast<uint16_t*>(const_cast<char*>(head.data)) + index * head.token;
    for (int64_t i = 0; i < count; ++i)
      to[i * head.step] = narrow(from[i] * factor);
  }
}

// Asks for a row before it is needed: rows of interleaved heads lie too far apart for the hardware to guess.
inline void prefetch_row(const Head& head, int64_t index, int64_t count) {
  const int64_t bytes = head.type == Type::f32 ? 4 : 2;
  if (head.step != 1)
    return;
  const char* row = head.data + index * head.token * bytes;
  for (int64_t i = 0; i < count * bytes; i += 64)
    __builtin_prefetch(row + i);
}

constexpr int64_t kAhead = 8; // rows

// `tokens` rows from token `first`, `stride` floats apart.
inline void load_rows(const Head& head, int64_t first, int64_t tokens, int64_t size, float* to, int64_t stride) {
  for (int64_t t = 0; t < tokens; ++t) {
    prefetch_row(head, first + t + kAhead, size); // beyond the end it does nothing
    load_row(head, first + t, size, to + t * stride);
  }
}

// Panels of 16 tokens, [tokens / 16, size, 16]: the right side of a product with the transposed rows. `row` is work
// memory for 16 padded rows.
inline void pack_transposed(const Head& head, int64_t tokens, int64_t size, float* to, float* row) {
  const int64_t padded = round_up(size, 4);
  for (int64_t first = 0; first < tokens; first += kPanel, to += padded * kPanel) {
    const int64_t count = least(kPanel, tokens - first);
    if (count < kPanel || padded != size)
      std::memset(row, 0, static_cast<size_t>(padded * kPanel) * sizeof(float));
    load_rows(head, first, count, size, row, padded);
    transpose_panel(row, padded, to);
  }
}

// Panels of 16 elements, [size / 16, tokens, 16]: the right side of a product with the rows as they are.
inline void pack_rows(const Head& head, int64_t first, int64_t tokens, int64_t size, float* to, float* row) {
  const int64_t padded = round_up(size, kPanel);
  for (int64_t i = size; i < padded; ++i)
    row[i] = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    prefetch_row(head, first + t + kAhead, size);
    load_row(head, first + t, size, row);
    for (int64_t e = 0; e < padded; e += kPanel)
      for (int i = 0; i < kPanel; i += kLanes)
        store(to + e * tokens + t * kPanel + i, load(row + e + i));
  }
}

inline float dot(const float* a, const float* b, int64_t count) {
  V sums{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    sums += load(a + i) * load(b + i);
  float result = sum(sums);
  for (; i < count; ++i)
    result += a[i] * b[i];
  return result;
}

// How many of the keys a query sees.
inline int64_t visible(const Attention& call, int64_t query) {
  return call.causal ? least(query + 1, call.keys) : call.keys;
}

} // namespace

} // namespace ipex::simd::IPEX_SIMD
