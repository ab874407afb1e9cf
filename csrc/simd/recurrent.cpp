// One time step of a recurrent layer: the product of the hidden state with its weights, then the gates.
#include "simd/recurrent.h"

namespace ipex::simd::IPEX_SIMD {

namespace {

constexpr int64_t kGroup = 4; // panels that one product with a single row takes at once

// The panels `begin` to `end` of all gates. Every other step runs backwards: the weights that the step before used last
// are still in the cache.
void hidden_product(const Recurrent& call, const float* h, int64_t step, int64_t begin, int64_t end) {
  const int64_t gates = gates_of(call.cell), panels = round_up(call.hidden, kPanel) / kPanel,
                groups = (end - begin + kGroup - 1) / kGroup, stride = call.hidden * kPanel;
  for (int64_t i = 0; i < gates * groups; ++i) {
    const int64_t chunk = step % 2 == 0 ? i : gates * groups - 1 - i;
    const int64_t gate = chunk / groups, panel = begin + chunk % groups * kGroup;
    const int64_t position = gate * panels + panel;
    gemm(
        call.batch,
        call.hidden,
        least(kGroup, end - panel),
        {h, call.hidden, 1},
        {call.weights + position * stride, stride},
        {call.gates + position * kPanel, gates * panels * kPanel, kPanel, false});
  }
}

// The operands of one register of hidden units of one batch entry.
struct Unit {
  const float* x; // input gates, `hidden` apart
  const float* product; // `padded` apart
  float* workspace;
  float* dst;
  const float* h;
  const float* c;
  float* cy;
  int64_t hidden, padded, count;

  V gate(int64_t index) const {
    return load(x + index * hidden, count) + load(product + index * padded);
  }
  void keep(int64_t index, V value) const {
    if (workspace != nullptr)
      store(workspace + index * hidden, value, count);
  }
};

void lstm(const Unit& unit) {
  const V i = sigmoid(unit.gate(0)), f = sigmoid(unit.gate(1)), g = tanh(unit.gate(2)), o = sigmoid(unit.gate(3));
  const V c = f * load(unit.c, unit.count) + i * g;
  store(unit.cy, c, unit.count);
  store(unit.dst, o * tanh(c), unit.count);
  unit.keep(0, i);
  unit.keep(1, f);
  unit.keep(2, g);
  unit.keep(3, o);
  unit.keep(4, c);
}

void gru(const Unit& unit, const float* bias) {
  const V r = sigmoid(unit.gate(0)), z = sigmoid(unit.gate(1));
  V hn = load(unit.product + 2 * unit.padded);
  if (bias != nullptr)
    hn += load(bias, unit.count);
  const V n = tanh(load(unit.x + 2 * unit.hidden, unit.count) + r * hn);
  store(unit.dst, n + z * (load(unit.h, unit.count) - n), unit.count);
  unit.keep(0, r);
  unit.keep(1, z);
  unit.keep(2, n);
  unit.keep(3, hn);
}

void plain(const Unit& unit, bool relu) {
  const V x = unit.gate(0);
  store(unit.dst, relu ? select(I(x < 0.0f), V{}, x) : tanh(x), unit.count);
}

} // namespace

void recurrent_step(const Recurrent& call, int64_t step, int64_t begin, int64_t end) {
  const int64_t hidden = call.hidden, padded = round_up(hidden, kPanel), gates = gates_of(call.cell);
  const int64_t time = time_of(call, step), state = call.batch * hidden;
  const float* h = step == 0 ? call.hx : call.dst + time_of(call, step - 1) * state;
  hidden_product(call, h, step, begin, end);
  for (int64_t b = 0; b < call.batch; ++b) {
    const int64_t entry = time * call.batch + b;
    for (int64_t u = begin * kPanel; u < least(end * kPanel, hidden); u += kLanes) {
      const Unit unit{
          call.input_gates + entry * gates * hidden + u,
          call.gates + b * gates * padded + u,
          call.workspace == nullptr ? nullptr : call.workspace + entry * workspace_of(call.cell) * hidden + u,
          call.dst + entry * hidden + u,
          h + b * hidden + u,
          call.cell == Cell::lstm ? (step == 0 ? call.cx : call.cy) + b * hidden + u : nullptr,
          call.cell == Cell::lstm ? call.cy + b * hidden + u : nullptr,
          hidden,
          padded,
          least(kLanes, hidden - u)};
      if (call.cell == Cell::lstm)
        lstm(unit);
      else if (call.cell == Cell::gru)
        gru(unit, call.hidden_bias == nullptr ? nullptr : call.hidden_bias + u);
      else
        plain(unit, call.cell == Cell::relu);
    }
  }
}

} // namespace ipex::simd::IPEX_SIMD
