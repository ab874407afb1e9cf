// The operands of attention as our kernel wants them, and the distribution of its blocks over the threads.
#include "ops/attention_call.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "core/profile.h"
#include "onednn/scratchpad.h"
#include "ops/convert.h"

namespace ipex::ops {

namespace {

// Floating-point operations that one thread should have at least.
constexpr double kGrain = 400e3;

bool fits(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  for (const at::Tensor& tensor : {query, key, value})
    if (!is_plain_float(tensor) || tensor.dim() != 4 || tensor.numel() == 0 ||
        tensor.scalar_type() != query.scalar_type())
      return false;
  if (query.scalar_type() != at::kFloat && query.scalar_type() != at::kBFloat16)
    return false;
  return key.sizes() == value.sizes() && key.size(0) == query.size(0) && key.size(1) == query.size(1) &&
      key.size(3) == query.size(3);
}

// The mask as four dimensions that broadcast over the scores.
bool add_mask(AttentionCall& call, const at::Tensor& mask) {
  if (!forms::readable(mask) || !mask.is_floating_point() || (mask.dim() != 2 && mask.dim() != 4))
    return false;
  const std::array<int64_t, 4> scores{call.spec.batch, call.spec.heads, call.spec.queries, call.spec.keys};
  for (int64_t d = 0; d < mask.dim(); ++d)
    if (mask.size(d) != 1 && mask.size(d) != scores[d + 4 - mask.dim()])
      return false;
  const at::Tensor wide = mask.to(at::kFloat);
  call.operands.push_back(forms::read(wide));
  forms::Operand& operand = call.operands.back();
  if (!operand.owner.defined())
    operand.owner = wide; // perhaps a temporary
  call.spec.mask = static_cast<const float*>(operand.data);
  for (int64_t d = 0; d < mask.dim(); ++d)
    call.spec.mask_strides[d + 4 - mask.dim()] = mask.size(d) == 1 ? 0 : operand.strides()[d];
  return true;
}

} // namespace

simd::Heads heads_of(const void* data, c10::IntArrayRef strides) {
  return {data, {strides[0], strides[1], strides[2], strides[3]}};
}

c10::DimVector token_major_strides(c10::IntArrayRef sizes) {
  return {sizes[1] * sizes[2] * sizes[3], sizes[3], sizes[1] * sizes[3], 1};
}

std::optional<AttentionCall> attention_call(
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    const std::optional<at::Tensor>& mask,
    std::optional<double> scale) {
  if (simd_kernels() == nullptr || !fits(query, key, value))
    return std::nullopt;
  AttentionCall call;
  call.operands.reserve(5);
  simd::Attention& spec = call.spec;
  spec.batch = query.size(0);
  spec.heads = query.size(1);
  spec.queries = query.size(2);
  spec.keys = key.size(2);
  spec.size = query.size(3);
  spec.value_size = value.size(3);
  spec.scale = static_cast<float>(scale.value_or(1 / std::sqrt(static_cast<double>(spec.size))));
  spec.type = query.scalar_type() == at::kFloat ? simd::Type::f32 : simd::Type::bf16;
  const auto heads = [&](const at::Tensor& tensor) {
    call.operands.push_back(forms::read(tensor));
    return heads_of(call.operands.back().data, call.operands.back().strides());
  };
  spec.q = heads(query);
  spec.k = heads(key);
  spec.v = heads(value);
  if (mask && mask->defined() && mask->numel() > 0 && !add_mask(call, *mask))
    return std::nullopt;
  return call;
}

void run_attention(const simd::Attention& call) {
  const simd::Kernels& kernels = *simd_kernels();
  const int64_t rows = kernels.attention_rows(call);
  const int64_t tasks = call.batch * call.heads * ((call.queries + rows - 1) / rows);
  const double operations = 4.0 * static_cast<double>(rows * call.keys * call.size);
  const profile::Kernel profiled("attention");
  at::parallel_for(
      0, tasks, std::max<int64_t>(1, static_cast<int64_t>(kGrain / operations)), [&](int64_t begin, int64_t end) {
        kernels.attention(call, begin, end, static_cast<float*>(onednn::scratchpad(kernels.attention_scratch(call))));
      });
}

} // namespace ipex::ops
