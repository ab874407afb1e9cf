// Sizes, packed weights and threads of recurrent layers.
#include "ops/recurrent_call.h"

#include <ATen/Parallel.h>
#include <omp.h>

#include <algorithm>

#include "core/profile.h"
#include "forms/operand.h"

namespace ipex::ops {

namespace {

// Floating-point operations of a step that one thread should have at least: threads meet after every step.
constexpr double kGrain = 200e3;

bool is_float(const at::Tensor& tensor) {
  return forms::readable(tensor) && tensor.scalar_type() == at::kFloat;
}

bool has_sizes(const at::Tensor& tensor, at::IntArrayRef sizes) {
  return is_float(tensor) && tensor.sizes() == sizes;
}

// [gates, outputs, inputs] in panels of 16 outputs: [gates, outputs / 16, inputs, 16].
forms::PackedWeights pack(const at::Tensor& weight, c10::IntArrayRef sizes, c10::IntArrayRef strides) {
  const auto type = dnnl::memory::data_type::f32;
  const dnnl::memory::desc panels({sizes[0], sizes[1], sizes[2]}, type, dnnl::memory::format_tag::aBc16b);
  return forms::pack(weight, onednn::Layout::strided(type, sizes, strides), panels);
}

} // namespace

std::optional<RecurrentSizes> recurrent_sizes(const RecurrentArguments& arguments) {
  const at::Tensor& input = arguments.input;
  if (simd_kernels() == nullptr || arguments.mode < kRnnRelu || arguments.mode > kGru || arguments.hidden < 1 ||
      !is_float(input) || input.dim() != 3 || input.numel() == 0)
    return std::nullopt;
  RecurrentSizes sizes{};
  sizes.cell = static_cast<simd::Cell>(arguments.mode);
  sizes.steps = input.size(0);
  sizes.batch = input.size(1);
  sizes.size = input.size(2);
  sizes.hidden = arguments.hidden;
  sizes.gates = arguments.mode == kLstm ? 4 : arguments.mode == kGru ? 3 : 1;
  sizes.workspace = arguments.mode == kLstm ? 5 : arguments.mode == kGru ? 4 : 0;
  const int64_t rows = sizes.gates * sizes.hidden, state = sizes.batch * sizes.hidden;
  if (!has_sizes(arguments.weight_ih, {rows, sizes.size}) || !has_sizes(arguments.weight_hh, {rows, sizes.hidden}) ||
      !is_float(arguments.hx) || arguments.hx.numel() != state)
    return std::nullopt;
  if (arguments.has_biases && (!has_sizes(arguments.bias_ih, {rows}) || !has_sizes(arguments.bias_hh, {rows})))
    return std::nullopt;
  if (arguments.mode == kLstm && (!is_float(arguments.cx) || arguments.cx.numel() != state))
    return std::nullopt;
  return sizes;
}

forms::PackedWeights pack_hidden_weights(const at::Tensor& weight, const RecurrentSizes& sizes) {
  const int64_t row = weight.stride(0), column = weight.stride(1);
  return pack(weight, {sizes.gates, sizes.hidden, sizes.hidden}, {sizes.hidden * row, row, column});
}

forms::PackedWeights pack_transposed_hidden_weights(const at::Tensor& weight, const RecurrentSizes& sizes) {
  const int64_t row = weight.stride(0), column = weight.stride(1), depth = sizes.gates * sizes.hidden;
  return pack(weight, {1, sizes.hidden, depth}, {depth * row, column, row});
}

void run_steps(const RecurrentSizes& sizes, std::initializer_list<StepKernel> kernels, bool backward) {
  const profile::Kernel profiled(backward ? "recurrent_backward" : "recurrent");
  const int64_t panels = (sizes.hidden + simd::kPanel - 1) / simd::kPanel;
  const double operations = 2.0 * static_cast<double>(sizes.batch * sizes.gates * sizes.hidden * sizes.hidden);
  int64_t threads = at::in_parallel_region() ? 1 : std::min<int64_t>(at::get_num_threads(), panels);
  threads = std::clamp<int64_t>(static_cast<int64_t>(operations / kGrain), 1, threads);
  const auto work = [&](int64_t thread, int64_t team) {
    const int64_t begin = panels * thread / team, end = panels * (thread + 1) / team;
    for (int64_t i = 0; i < sizes.steps; ++i)
      for (const StepKernel& kernel : kernels) {
        kernel(backward ? sizes.steps - 1 - i : i, begin, end);
        if (team > 1) {
#pragma omp barrier
        }
      }
  };
  if (threads == 1)
    return work(0, 1);
#pragma omp parallel num_threads(static_cast<int>(threads))
  work(omp_get_thread_num(), omp_get_num_threads());
}

} // namespace ipex::ops
