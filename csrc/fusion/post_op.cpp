// The table of element-wise functions that can follow a primitive, and how values pass through them.
//
// oneDNN's clamping post-ops (relu, clip, hardswish and what is made of them) turn NaN into a bound. Stock PyTorch keeps
// it, so they are used only where magnitudes prove that there is none.
#include "fusion/post_op.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/profile.h"
#include "forms/buffer.h"
#include "fusion/names.h"
#include "onednn/details.h"
#include "vec/rows.h"

namespace ipex::fusion {

namespace {

using dnnl::algorithm;
using Parameters = std::array<float, 4>;

// Sums of so large values may round to infinity, and cubes of the second ones overflow.
constexpr double kLargest = 1e37, kLargestCubed = 1e12;

struct Unary {
  const char* name;
  vec::Function vec::Functions::* function;
  algorithm post_op;
  float (*alpha)(const Parameters&);
  float (*beta)(const Parameters&);
  double largest; // magnitude for which the post-op computes the same
  double (*bound)(double, const Parameters&);
};

template <int numerator, int denominator = 1>
float constant(const Parameters&) {
  return static_cast<float>(numerator) / denominator;
}

template <int index>
float parameter(const Parameters& parameters) {
  return parameters[index];
}

double same(double bound, const Parameters&) {
  return bound;
}

double one(double, const Parameters&) {
  return 1;
}

double clamped(double bound, const Parameters& parameters) {
  return std::max<double>({bound, std::abs(parameters[0]), std::abs(parameters[1])});
}

double with_slope(double bound, const Parameters& parameters) {
  return bound * std::max(1.0, std::abs(static_cast<double>(parameters[0])));
}

using F = vec::Functions;
constexpr Unary kUnary[] = {
    {"clamp", &F::clamp, algorithm::eltwise_clip, parameter<0>, parameter<1>, kLargest, clamped},
    {"gelu_erf", &F::gelu_erf, algorithm::eltwise_gelu_erf, constant<0>, constant<0>, kLargestCubed, same},
    {"gelu_tanh", &F::gelu_tanh, algorithm::eltwise_gelu_tanh, constant<0>, constant<0>, kLargestCubed, same},
    {"hardsigmoid", &F::hardsigmoid, algorithm::eltwise_hardsigmoid, constant<1, 6>, constant<1, 2>, kLargest, one},
    {"hardswish", &F::hardswish, algorithm::eltwise_hardswish, constant<1, 6>, constant<1, 2>, kLargest, same},
    {"leaky_relu", &F::leaky_relu, algorithm::eltwise_relu, parameter<0>, constant<0>, kLargest, with_slope},
    {"relu", &F::relu, algorithm::eltwise_relu, constant<0>, constant<0>, kLargest, same},
    {"sigmoid", &F::sigmoid, algorithm::eltwise_logistic, constant<0>, constant<0>, kLargest, one},
    {"silu", &F::silu, algorithm::eltwise_swish, constant<1>, constant<0>, kLargest, same},
    {"tanh", &F::tanh, algorithm::eltwise_tanh, constant<0>, constant<0>, kLargest, one},
};

const Unary* find(const vec::Pointwise& call) {
  for (const Unary& row : kUnary)
    if (call.function.run == (vec::functions().*row.function).run)
      return &row;
  return nullptr;
}

bool is_add(const vec::Pointwise& call) {
  return call.function.run == vec::functions().add.run;
}

bool is_mul(const vec::Pointwise& call) {
  return call.function.run == vec::functions().mul.run;
}

double largest(const std::vector<float>& values) {
  return largest_magnitude(values.data(), static_cast<int64_t>(values.size()), dnnl::memory::data_type::f32);
}

double checked(double bound) {
  return bound <= kLargest ? bound : std::numeric_limits<double>::infinity();
}

} // namespace

std::optional<PostOp> PostOp::unary(const vec::Pointwise& call) {
  const Unary* row = find(call);
  if (row == nullptr)
    return std::nullopt;
  return PostOp{.name = row->name, .kind = Kind::kUnary, .call = call};
}

std::optional<PostOp> PostOp::binary(const vec::Pointwise& call, Held other) {
  if (!is_add(call) && !is_mul(call))
    return std::nullopt;
  return PostOp{.name = is_add(call) ? "add" : "mul", .kind = Kind::kBinary, .call = call, .other = std::move(other)};
}

std::optional<PostOp> PostOp::binary(const vec::Pointwise& call, float scalar) {
  if (is_add(call))
    return PostOp{.name = "add", .kind = Kind::kScalar, .call = call, .shift = call.parameters[0] * scalar};
  if (is_mul(call))
    return PostOp{.name = "mul", .kind = Kind::kScalar, .call = call, .scale = scalar};
  return std::nullopt;
}

PostOp PostOp::scale_shift(std::shared_ptr<const ScaleShift> channels) {
  return {.name = "batch_norm", .kind = Kind::kScaleShift, .channels = std::move(channels)};
}

bool PostOp::is_product() const {
  return is_mul(call);
}

bool PostOp::append_quantized_to(onednn::Epilogue& epilogue, std::vector<onednn::Argument>& arguments) const {
  const int index = epilogue.count;
  const auto algorithm = is_mul(call) ? algorithm::binary_mul : algorithm::binary_add;
  if (!(is_mul(call) || call.parameters[0] == 1) ||
      !epilogue.append(algorithm, onednn::Epilogue::kFull, other.operand.layout.dtype))
    return false;
  arguments.push_back({onednn::Epilogue::argument(index), other.operand.data});
  return true;
}

bool PostOp::is_homogeneous() const {
  const bool is_unary = kind == Kind::kUnary;
  return is_unary &&
      (call.function.run == vec::functions().relu.run || call.function.run == vec::functions().leaky_relu.run);
}

bool PostOp::append_to(onednn::Epilogue& epilogue, std::vector<onednn::Argument>& arguments, double bound) const {
  using onednn::Epilogue;
  const auto binary = [&](algorithm algorithm, Epilogue::Operand operand, const void* data) {
    const int index = epilogue.count;
    const auto dtype = operand == Epilogue::kPerChannel ? dnnl::memory::data_type::f32 : other.operand.layout.dtype;
    if (!epilogue.append(algorithm, operand, dtype))
      return false;
    arguments.push_back({Epilogue::argument(index), data});
    return true;
  };
  switch (kind) {
    case Kind::kUnary: {
      const Unary& row = *find(call);
      const bool is_empty_range = row.post_op == algorithm::eltwise_clip && call.parameters[0] > call.parameters[1];
      return !is_empty_range && bound <= row.largest &&
          epilogue.append(row.post_op, row.alpha(call.parameters), row.beta(call.parameters));
    }
    case Kind::kScalar:
      return epilogue.append(algorithm::eltwise_linear, scale, shift);
    case Kind::kBinary:
      if (is_quantized() || (!is_mul(call) && call.parameters[0] != 1))
        return false;
      if (is_mul(call))
        return binary(algorithm::binary_mul, Epilogue::kFull, other.operand.data);
      return binary(algorithm::binary_add, Epilogue::kFull, other.operand.data);
    case Kind::kScaleShift:
      return epilogue.count + 2 <= Epilogue::kMost &&
          binary(algorithm::binary_mul, Epilogue::kPerChannel, channels->scale.data()) &&
          binary(algorithm::binary_add, Epilogue::kPerChannel, channels->shift.data());
  }
  return false;
}

double PostOp::bound_after(double bound) const {
  if (!std::isfinite(bound)) // there may be a NaN, which no function bounds
    return bound;
  switch (kind) {
    case Kind::kUnary:
      return checked(find(call)->bound(bound, call.parameters));
    case Kind::kScalar:
      return checked(bound * std::abs(scale) + std::abs(shift));
    case Kind::kBinary:
      return checked(is_mul(call) ? bound * other.bound() : bound + other.bound() * std::abs(call.parameters[0]));
    case Kind::kScaleShift:
      return checked(bound * largest(channels->scale) + largest(channels->shift));
  }
  return std::numeric_limits<double>::infinity();
}

void PostOp::run(const float* src, float* dst, int64_t offset, int64_t count) const {
  switch (kind) {
    case Kind::kUnary:
      return call.function.run(dst, &src, count, call.parameters.data());
    case Kind::kScalar:
      return vec::row_functions().linear(src, dst, count, scale, shift);
    case Kind::kBinary: {
      if (other.operand.layout.dtype != dnnl::memory::data_type::f32)
        return run_with_narrow(src, dst, offset, count);
      const float* const sources[] = {src, static_cast<const float*>(other.operand.data) + offset};
      return call.function.run(dst, sources, count, call.parameters.data());
    }
    case Kind::kScaleShift: {
      const auto width = static_cast<int64_t>(channels->scale.size());
      return vec::row_functions().scale_shift(
          src, dst, count / width, width, channels->scale.data(), channels->shift.data());
    }
  }
}

void PostOp::run_with_narrow(const float* src, float* dst, int64_t offset, int64_t count) const {
  constexpr int64_t kPart = 1024;
  alignas(64) float wide[kPart];
  for (int64_t done = 0; done < count; done += kPart) {
    const int64_t part = std::min(kPart, count - done);
    to_float(other.operand, offset + done, wide, part);
    const float* const sources[] = {src + done, wide};
    call.function.run(dst + done, sources, part, call.parameters.data());
  }
}

void to_float(const forms::Operand& operand, int64_t first, float* dst, int64_t count) {
  const auto dtype = operand.layout.dtype;
  const auto* values = static_cast<const char*>(operand.data) + first * dnnl::memory::data_type_size(dtype);
  if (dtype == dnnl::memory::data_type::bf16)
    return vec::functions().bfloat16_to_float(values, dst, count);
  if (forms::is_byte(dtype))
    return forms::byte_functions(dtype).to_float(values, dst, count, operand.scale);
  std::memcpy(dst, values, count * sizeof(float));
}

forms::Operand as_float(const forms::Operand& operand) {
  const forms::Operand src =
      operand.dense() ? operand : forms::copy(operand, forms::row_major_strides(operand.sizes()));
  auto buffer = forms::make_buffer(src.layout.elements() * sizeof(float));
  forms::Operand made{buffer->data.get(), src.layout, {}, {}};
  made.layout.dtype = dnnl::memory::data_type::f32;
  apply({}, src, buffer->data.get(), made.layout);
  made.buffer = std::move(buffer);
  return made;
}

namespace {

void each_chunk(c10::ArrayRef<const PostOp*> steps, void* dst, const onednn::Layout& layout, Fill fill, float scale) {
  constexpr int64_t kChunk = 4096; // elements that stay in the first cache
  const int64_t width = layout.rank > 1 ? layout.sizes[1] : 1, rows = layout.elements() / width;
  const int64_t chunk = std::max<int64_t>(1, kChunk / width);
  const bool is_wide = layout.dtype == dnnl::memory::data_type::f32;
  at::parallel_for(0, (rows + chunk - 1) / chunk, 4, [&](int64_t begin, int64_t end) {
    std::vector<float> wide(is_wide ? 0 : chunk * width);
    for (int64_t index = begin; index < end; ++index) {
      const int64_t first = index * chunk, count = std::min(chunk, rows - first);
      float* const values = is_wide ? static_cast<float*>(dst) + first * width : wide.data();
      fill(values, first, count, width);
      for (const PostOp* step : steps)
        step->run(values, values, first * width, count * width);
      if (forms::is_byte(layout.dtype))
        forms::byte_functions(layout.dtype)
            .from_float(values, static_cast<char*>(dst) + first * width, count * width, scale);
      else if (!is_wide)
        vec::functions().float_to_bfloat16(values, static_cast<uint16_t*>(dst) + first * width, count * width);
    }
  });
}

} // namespace

void apply(c10::ArrayRef<const PostOp*> steps, void* dst, const onednn::Layout& layout, Fill fill, float scale) {
  const profile::Kernel profiled("pass", "ipex:loop", [&] { return profile::Details{{}, names(steps)}; });
  each_chunk(steps, dst, layout, fill, scale);
}

void apply(
    c10::ArrayRef<const PostOp*> steps,
    const forms::Operand& src,
    void* dst,
    const onednn::Layout& layout,
    float scale) {
  const profile::Kernel profiled(
      "pass", "ipex:loop", [&] { return profile::Details{{onednn::operand_of(src.layout)}, names(steps)}; });
  const bool is_wide = src.layout.dtype == dnnl::memory::data_type::f32 && layout.dtype == src.layout.dtype;
  if (!is_wide || steps.empty())
    return each_chunk(
        steps,
        dst,
        layout,
        [&](float* to, int64_t first, int64_t count, int64_t width) {
          to_float(src, first * width, to, count * width);
        },
        scale);
  const auto first_step = [&](float* to, int64_t first, int64_t count, int64_t width) {
    steps.front()->run(static_cast<const float*>(src.data) + first * width, to, first * width, count * width);
  };
  each_chunk(steps.slice(1), dst, layout, first_step, scale);
}

} // namespace ipex::fusion
