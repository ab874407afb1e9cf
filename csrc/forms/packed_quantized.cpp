// Quantises weights and packs them.
#include "forms/packed_quantized.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/profile.h"
#include "forms/buffer.h"
#include "forms/operand.h"
#include "forms/quantization.h"
#include "forms/reorder.h"
#include "forms/statistics.h"
#include "onednn/engine.h"

namespace ipex::forms {

namespace {

// The largest weight. Without instructions for it, two products are added in 16 bits: 2 * 255 * 64 would saturate.
float largest_weight() {
  return onednn::has_int8_instructions() ? 127 : 63;
}

float largest_magnitude(const float* values, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(values[i]))
      return std::numeric_limits<float>::infinity();
    largest = std::max(largest, std::abs(values[i]));
  }
  return largest;
}

// What magnitudes up to `largest` are multiplied by.
float scale_of(float largest) {
  const float scale = largest_weight() / largest;
  return std::isfinite(scale) ? scale : 1; // zeros, or nearly
}

// Writes int8 values of `channels` rows of `width` floats, their scales and sums; false when a value is not finite.
bool quantize_rows(
    const float* src,
    int64_t channels,
    int64_t width,
    bool per_channel,
    int8_t* dst,
    std::vector<float>& scales,
    std::vector<int32_t>& sums) {
  std::vector<float> largest(channels);
  const profile::Kernel profiled("quantize_weights");
  at::parallel_for(0, channels, 1 + (1 << 15) / width, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      largest[c] = largest_magnitude(src + c * width, width);
  });
  const float all = *std::max_element(largest.begin(), largest.end());
  if (!std::isfinite(all))
    return false;
  sums.resize(channels);
  scales.assign(per_channel ? channels : 1, scale_of(all));
  const auto& functions = byte_functions(dnnl::memory::data_type::s8);
  at::parallel_for(0, channels, 1 + (1 << 15) / width, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      if (per_channel)
        scales[c] = scale_of(largest[c]);
      functions.from_float(src + c * width, dst + c * width, width, scales[per_channel ? c : 0]);
      sums[c] = std::accumulate(dst + c * width, dst + (c + 1) * width, 0);
    }
  });
  return true;
}

std::shared_ptr<Buffer> make(
    const at::Tensor& weights,
    const onednn::Layout& tensor,
    bool groups,
    bool per_channel,
    const dnnl::memory::desc& wanted) {
  const Operand plain = read_as(weights, row_major_strides(weights.sizes()));
  const int64_t channels = groups ? tensor.sizes[0] * tensor.sizes[1] : tensor.sizes[0];
  const int64_t count = tensor.elements();
  const c10::DataPtr rows = allocate(static_cast<size_t>(count));
  const auto buffer = make_buffer(wanted.get_size());
  const auto* values = static_cast<const float*>(plain.data);
  if (!quantize_rows(
          values,
          channels,
          count / channels,
          per_channel,
          static_cast<int8_t*>(rows.get()),
          buffer->scales,
          buffer->sums))
    return nullptr;
  count_pack();
  const auto dense = onednn::Layout::dense(dnnl::memory::data_type::s8, tensor.sizes_ref());
  reorder(dense.with_rank(wanted.get_ndims()).desc(), rows.get(), wanted, buffer->data.get());
  return buffer;
}

} // namespace

std::optional<PackedWeights> pack_quantized(
    const at::Tensor& weights,
    const onednn::Layout& tensor,
    bool groups,
    bool per_channel,
    const dnnl::memory::desc& wanted) {
  constexpr size_t kMostCopies = 3; // beside those in float32
  c10::StorageImpl& storage = *weights.storage().unsafeGetStorageImpl();
  const Block* block = block_of(storage.data_ptr());
  Form* form = block && block->aliases.load(std::memory_order_acquire) <= 0 ? Form::make(storage) : nullptr;
  const auto is_same = [&](const Packed& copy) {
    return copy.offset == weights.storage_offset() && copy.tensor == tensor && copy.per_channel == per_channel &&
        copy.desc == wanted;
  };
  uint64_t generation = 0;
  if (form != nullptr) {
    const Form::Lock lock(*form);
    generation = form->generation;
    for (const Packed& copy : form->packed)
      if (is_same(copy)) {
        count_packed_hit();
        return PackedWeights{copy.buffer->data.get(), copy.buffer};
      }
  }
  const auto buffer = make(weights, tensor, groups, per_channel, wanted);
  if (!buffer)
    return std::nullopt;
  if (form != nullptr) {
    const Form::Lock lock(*form);
    if (form->generation == generation) {
      if (form->packed.size() >= kMostCopies)
        form->packed.erase(form->packed.begin());
      form->packed.push_back({/*whole=*/false, weights.storage_offset(), tensor, wanted, buffer, per_channel});
      Form::watch(storage);
    }
  }
  return PackedWeights{buffer->data.get(), buffer};
}

} // namespace ipex::forms
