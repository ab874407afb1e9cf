// Runs element-wise functions over strided operands: rows along the fastest dimension of the destination, in place where
// values are adjacent float32, else through buffers that stay in the first-level cache.
#include "ops/pointwise_loop.h"
#include "core/profile.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

namespace ipex::ops {

namespace {

constexpr int64_t kBuffer = 1024; // elements
constexpr int64_t kRepeats = 128; // of a value that is another one in the next row

using Operand = PointwiseLoop::Operand;

const char* advance(const void* data, int64_t elements, c10::ScalarType dtype) {
  return static_cast<const char*>(data) + elements * static_cast<int64_t>(c10::elementSize(dtype));
}

template <class T>
void gather(const void* src, int64_t stride, void* dst, int64_t count) {
  const T* from = static_cast<const T*>(src);
  T* to = static_cast<T*>(dst);
  for (int64_t i = 0; i < count; ++i)
    to[i] = from[i * stride];
}

template <class T>
void scatter(const void* src, void* dst, int64_t stride, int64_t count) {
  const T* from = static_cast<const T*>(src);
  T* to = static_cast<T*>(dst);
  for (int64_t i = 0; i < count; ++i)
    to[i * stride] = from[i];
}

vec::Convert widening(c10::ScalarType dtype) {
  return dtype == at::kBFloat16 ? vec::functions().bfloat16_to_float : vec::functions().half_to_float;
}

vec::Convert narrowing(c10::ScalarType dtype) {
  return dtype == at::kBFloat16 ? vec::functions().float_to_bfloat16 : vec::functions().float_to_half;
}

// `count` values from `src` as float32 in `buffer`.
void load(const Operand& operand, const void* src, int64_t stride, float* buffer, int64_t count) {
  alignas(64) uint16_t packed[kBuffer];
  if (operand.dtype == at::kFloat)
    return gather<float>(src, stride, buffer, count);
  if (operand.dtype == at::kBool) {
    const auto* from = static_cast<const uint8_t*>(src);
    for (int64_t i = 0; i < count; ++i)
      buffer[i] = from[i * stride] != 0;
    return;
  }
  if (stride != 1) {
    gather<uint16_t>(src, stride, packed, count);
    src = packed;
  }
  widening(operand.dtype)(src, buffer, count);
}

void store(const Operand& operand, const float* buffer, void* dst, int64_t stride, int64_t count) {
  alignas(64) uint16_t packed[kBuffer];
  if (operand.dtype == at::kFloat)
    return scatter<float>(buffer, dst, stride, count);
  if (stride == 1)
    return narrowing(operand.dtype)(buffer, dst, count);
  narrowing(operand.dtype)(buffer, packed, count);
  scatter<uint16_t>(packed, dst, stride, count);
}

// The pieces of work of one thread along the fastest dimension.
class Row {
 public:
  Row(const PointwiseLoop& loop, const Pointwise& call) : loop_(loop), call_(call) {
    const int last = loop.rank - 1;
    direct_ = is_direct(loop.destination, last);
    for (int i = 0; i < loop.source_count; ++i) {
      const Operand& source = loop.sources[i];
      repeated_[i] = source.strides[last] == 0;
      buffered_[i] = repeated_[i] || !is_direct(source, last);
      direct_ = direct_ && !buffered_[i];
      constant_[i] = std::all_of(source.strides.begin(), source.strides.end(), [](int64_t s) { return s == 0; });
      if (constant_[i])
        fill(i, source.data, kBuffer);
      else if (repeated_[i])
        part_ = kRepeats;
    }
  }

  void run(const char* dst, const std::array<const char*, PointwiseLoop::kMaxSources>& src, int64_t count) {
    std::array<const float*, PointwiseLoop::kMaxSources> inputs{};
    for (int i = 0; i < loop_.source_count; ++i)
      inputs[i] = reinterpret_cast<const float*>(src[i]);
    auto* result = reinterpret_cast<float*>(const_cast<char*>(dst));
    if (direct_)
      return call_.function.run(result, inputs.data(), count, call_.parameters.data());
    const int last = loop_.rank - 1;
    for (int i = 0; i < loop_.source_count; ++i)
      if (repeated_[i] && !constant_[i])
        fill(i, src[i], std::min(count, part_));
    const Operand& destination = loop_.destination;
    const bool writes_directly = is_direct(destination, last);
    for (int64_t done = 0; done < count; done += part_) {
      const int64_t part = std::min(part_, count - done);
      for (int i = 0; i < loop_.source_count; ++i) {
        const Operand& source = loop_.sources[i];
        if (!buffered_[i]) {
          inputs[i] = reinterpret_cast<const float*>(src[i]) + done;
          continue;
        }
        inputs[i] = buffers_[i];
        if (!repeated_[i])
          load(
              source,
              advance(src[i], done * source.strides[last], source.dtype),
              source.strides[last],
              buffers_[i],
              part);
      }
      if (writes_directly) {
        call_.function.run(result + done, inputs.data(), part, call_.parameters.data());
      } else {
        call_.function.run(buffers_.back(), inputs.data(), part, call_.parameters.data());
        const int64_t stride = destination.strides[last];
        store(
            destination,
            buffers_.back(),
            const_cast<char*>(advance(dst, done * stride, destination.dtype)),
            stride,
            part);
      }
    }
  }

 private:
  static bool is_direct(const Operand& operand, int last) {
    return operand.dtype == at::kFloat && operand.strides[last] == 1;
  }

  void fill(int i, const void* value, int64_t count) {
    float number;
    load(loop_.sources[i], value, 1, &number, 1);
    std::fill_n(buffers_[i], count, number);
  }

  const PointwiseLoop& loop_;
  const Pointwise& call_;
  bool direct_;
  int64_t part_ = kBuffer; // elements at a time
  std::array<bool, PointwiseLoop::kMaxSources> buffered_{}, repeated_{}, constant_{};
  alignas(64) std::array<float[kBuffer], PointwiseLoop::kMaxSources + 1> buffers_;
};

} // namespace

void PointwiseLoop::simplify() {
  std::array<int, onednn::Layout::kMaxRank> order;
  int count = 0;
  for (int dim = 0; dim < rank; ++dim) {
    if (sizes[dim] == 1)
      continue;
    int place = count++;
    for (; place > 0 && destination.strides[order[place - 1]] < destination.strides[dim]; --place)
      order[place] = order[place - 1];
    order[place] = dim;
  }
  const PointwiseLoop before = *this;
  const auto each = [&](auto function) {
    function(destination, before.destination);
    for (int i = 0; i < source_count; ++i)
      function(sources[i], before.sources[i]);
  };
  each([](Operand& operand, const Operand&) { operand.strides = {}; });
  rank = 0;
  for (int i = 0; i < count; ++i) {
    const int dim = order[i];
    bool joins = rank > 0;
    each([&](const Operand& now, const Operand& old) {
      joins = joins && now.strides[rank - 1] == old.strides[dim] * before.sizes[dim];
    });
    if (!joins)
      sizes[rank++] = 1;
    sizes[rank - 1] *= before.sizes[dim];
    each([&](Operand& now, const Operand& old) { now.strides[rank - 1] = old.strides[dim]; });
  }
  if (rank == 0) {
    rank = 1;
    sizes[0] = 1;
    each([](Operand& operand, const Operand&) { operand.strides[0] = 1; });
  }
}

void PointwiseLoop::run(const Pointwise& call) {
  for (int i = 0; i < source_count; ++i)
    if (sources[i].dtype == at::kFloat && sources[i].data == nullptr)
      sources[i].data = &sources[i].scalar;
  simplify();
  int64_t elements = 1;
  for (int dim = 0; dim < rank; ++dim)
    elements *= sizes[dim];
  const profile::Kernel profiled("pointwise");
  at::parallel_for(0, elements, call.function.grain, [&](int64_t begin, int64_t end) {
    Row row(*this, call);
    const int last = rank - 1;
    std::array<int64_t, onednn::Layout::kMaxRank> index{};
    for (int64_t dim = last, rest = begin; dim >= 0; rest /= sizes[dim], --dim)
      index[dim] = rest % sizes[dim];
    while (begin < end) {
      const auto place = [&](const Operand& operand) {
        int64_t offset = 0;
        for (int dim = 0; dim < rank; ++dim)
          offset += index[dim] * operand.strides[dim];
        return advance(operand.data, offset, operand.dtype);
      };
      std::array<const char*, kMaxSources> src{};
      for (int i = 0; i < source_count; ++i)
        src[i] = place(sources[i]);
      const int64_t count = std::min(end - begin, sizes[last] - index[last]);
      row.run(place(destination), src, count);
      begin += count;
      index[last] = 0;
      for (int dim = last - 1; dim >= 0 && ++index[dim] == sizes[dim]; --dim)
        index[dim] = 0;
    }
  });
}

} // namespace ipex::ops
