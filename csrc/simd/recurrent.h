// The kernels of recurrent.cpp and recurrent_backward.cpp, and what both use.
#pragma once

#include "simd/gemm.h"

namespace ipex::simd::IPEX_SIMD {

void recurrent_step(const Recurrent& call, int64_t step, int64_t begin, int64_t end);
void recurrent_backward_gates(const RecurrentBackward& call, int64_t step, int64_t begin, int64_t end);
void recurrent_backward_state(const RecurrentBackward& call, int64_t step, int64_t begin, int64_t end);
void sum_rows(const float* rows, int64_t count, int64_t columns, float* sums);

namespace {

inline int64_t gates_of(Cell cell) {
  return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1;
}

// Values that the backward pass needs per hidden unit and step.
inline int64_t workspace_of(Cell cell) {
  return cell == Cell::lstm ? 5 : cell == Cell::gru ? 4 : 0;
}

// Where step `step` lies in memory.
template <class Call>
int64_t time_of(const Call& call, int64_t step) {
  return call.reverse ? call.steps - 1 - step : step;
}

// Up to a register of adjacent floats; the rest of the register is zero.
inline V load(const float* from, int64_t count) {
  if (count >= kLanes)
    return load(from);
  float lanes[kLanes] = {};
  for (int64_t i = 0; i < count; ++i)
    lanes[i] = from[i];
  return load(lanes);
}

inline void store(float* to, V value, int64_t count) {
  if (count >= kLanes) {
    store(to, value);
    return;
  }
  float lanes[kLanes];
  store(lanes, value);
  for (int64_t i = 0; i < count; ++i)
    to[i] = lanes[i];
}

} // namespace

} // namespace ipex::simd::IPEX_SIMD
