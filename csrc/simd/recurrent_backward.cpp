// One time step of a recurrent layer backwards: gradients of the gates, then of the hidden state before the step.
#include "simd/recurrent.h"

namespace ipex::simd::IPEX_SIMD {

namespace {

// The operands of one register of hidden units of one batch entry.
struct Unit {
  const float* workspace;
  const float* dst;
  const float* h; // before the step
  const float* c;
  float* diff_x;
  float* diff_h;
  float* state; // gradient of the hidden state from the step after, then part of that before
  float* diff_c;
  int64_t hidden, count;

  V kept(int64_t index) const {
    return load(workspace + index * hidden, count);
  }
  void gate(int64_t index, V gradient) const {
    store(diff_x + index * hidden, gradient, count);
  }
};

void lstm(const Unit& unit, V dh, V dc) {
  const V i = unit.kept(0), f = unit.kept(1), g = unit.kept(2), o = unit.kept(3), squashed = tanh(unit.kept(4));
  dc += dh * o * (1.0f - squashed * squashed);
  unit.gate(0, dc * g * i * (1.0f - i));
  unit.gate(1, dc * load(unit.c, unit.count) * f * (1.0f - f));
  unit.gate(2, dc * i * (1.0f - g * g));
  unit.gate(3, dh * squashed * o * (1.0f - o));
  store(unit.diff_c, dc * f, unit.count);
}

void gru(const Unit& unit, V dh) {
  const V r = unit.kept(0), z = unit.kept(1), n = unit.kept(2), hn = unit.kept(3);
  const V dn = dh * (1.0f - z) * (1.0f - n * n), dz = dh * (load(unit.h, unit.count) - n) * z * (1.0f - z),
          dr = dn * hn * r * (1.0f - r);
  unit.gate(0, dr);
  unit.gate(1, dz);
  unit.gate(2, dn);
  store(unit.diff_h, dr, unit.count);
  store(unit.diff_h + unit.hidden, dz, unit.count);
  store(unit.diff_h + 2 * unit.hidden, dn * r, unit.count);
  store(unit.state, dh * z);
}

void plain(const Unit& unit, V dh, bool relu) {
  const V h = load(unit.dst, unit.count);
  unit.gate(0, relu ? select(I(h <= 0.0f), V{}, dh) : dh * (1.0f - h * h));
}

} // namespace

void recurrent_backward_gates(const RecurrentBackward& call, int64_t step, int64_t begin, int64_t end) {
  const int64_t hidden = call.hidden, padded = round_up(hidden, kPanel), gates = gates_of(call.cell),
                kept = workspace_of(call.cell), time = time_of(call, step), before = time_of(call, step - 1);
  const bool last = step == call.steps - 1;
  for (int64_t b = 0; b < call.batch; ++b) {
    const int64_t entry = time * call.batch + b, previous = before * call.batch + b;
    for (int64_t u = begin * kPanel; u < least(end * kPanel, hidden); u += kLanes) {
      const int64_t count = least(kLanes, hidden - u);
      Unit unit{};
      unit.workspace = call.workspace + entry * kept * hidden + u;
      unit.dst = call.dst + entry * hidden + u;
      unit.h = step == 0 ? call.hx + b * hidden + u : call.dst + previous * hidden + u;
      unit.diff_x = call.diff_input_gates + entry * gates * hidden + u;
      unit.state = call.state + b * padded + u;
      unit.hidden = hidden;
      unit.count = count;
      const V from_after = last ? load(call.diff_hy + b * hidden + u, count) : load(unit.state);
      const V dh = load(call.diff_dst + entry * hidden + u, count) + from_after;
      if (call.cell == Cell::lstm) {
        unit.c = step == 0 ? call.cx + b * hidden + u : call.workspace + (previous * kept + 4) * hidden + u;
        unit.diff_c = call.diff_cx + b * hidden + u;
        lstm(unit, dh, load((last ? call.diff_cy : call.diff_cx) + b * hidden + u, count));
      } else if (call.cell == Cell::gru) {
        unit.diff_h = call.diff_hidden_gates + entry * gates * hidden + u;
        gru(unit, dh);
      } else {
        plain(unit, dh, call.cell == Cell::relu);
      }
    }
  }
}

void recurrent_backward_state(const RecurrentBackward& call, int64_t step, int64_t begin, int64_t end) {
  const int64_t hidden = call.hidden, padded = round_up(hidden, kPanel), depth = gates_of(call.cell) * hidden;
  const bool gru = call.cell == Cell::gru;
  const float* diff = (gru ? call.diff_hidden_gates : call.diff_input_gates) + time_of(call, step) * call.batch * depth;
  gemm(
      call.batch,
      depth,
      end - begin,
      {diff, depth, 1},
      {call.weights + begin * depth * kPanel, depth * kPanel},
      {call.state + begin * kPanel, padded, kPanel, gru});
  if (step == 0)
    for (int64_t b = 0; b < call.batch; ++b)
      for (int64_t u = begin * kPanel; u < least(end * kPanel, hidden); ++u)
        call.diff_hx[b * hidden + u] = call.state[b * padded + u];
}

void sum_rows(const float* rows, int64_t count, int64_t columns, float* sums) {
  for (int64_t c = 0; c < columns; ++c)
    sums[c] = 0;
  for (int64_t r = 0; r < count; ++r, rows += columns)
    for (int64_t c = 0; c < columns; ++c)
      sums[c] += rows[c];
}

} // namespace ipex::simd::IPEX_SIMD
