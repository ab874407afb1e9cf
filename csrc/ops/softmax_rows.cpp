// A dense tensor is [outer, channels, inner] around the dimension of a softmax, whatever the order of the others.
#include "ops/softmax_rows.h"

#include <ATen/MemoryOverlap.h>
#include <ATen/Parallel.h>

#include <vector>

#include "aten/on_device.h"
#include "core/profile.h"
#include "forms/operand.h"
#include "onednn/engine.h"
#include "ops/convert.h"
#include "vec/rows.h"

namespace ipex::ops {

namespace {

struct Block {
  int64_t outer, channels, inner;
};

bool is_serviceable(const at::Tensor& tensor, int64_t dim) {
  const int64_t rank = std::max<int64_t>(tensor.dim(), 1);
  return on_device(tensor) && is_plain_float(tensor) && tensor.numel() != 0 && dim >= -rank && dim < rank;
}

// `tensor` in one run of memory: as it lies if that is dense, else row-major.
forms::Operand read_dense(const at::Tensor& tensor, at::Tensor& copy) {
  if (onednn::supports(tensor.scalar_type())) {
    auto src = forms::read(tensor);
    return src.dense() ? src : forms::read_as(tensor, forms::row_major_strides(tensor.sizes()));
  }
  copy = tensor.contiguous();
  return forms::read(copy);
}

Block block_of(const at::Tensor& tensor, c10::IntArrayRef strides, int64_t dim) {
  if (tensor.dim() == 0)
    return {1, 1, 1};
  dim = dim < 0 ? dim + tensor.dim() : dim;
  const int64_t channels = tensor.size(dim);
  int64_t inner = 1; // everything that lies closer than two channels do
  for (int64_t other = 0; other < tensor.dim(); ++other)
    if (channels > 1 && tensor.size(other) > 1 && strides[other] < strides[dim])
      inner *= tensor.size(other);
  return {tensor.numel() / (channels * inner), channels, inner};
}

// row(sources, destination, buffer) for every row of channels; other types than float32 pass through buffers.
template <int sources, class F>
void each_row(std::array<const void*, sources> src, void* dst, c10::ScalarType dtype, const Block& block, F row) {
  const int64_t grain = std::max<int64_t>(1, 4096 / block.channels);
  const int64_t bytes = block.channels * static_cast<int64_t>(c10::elementSize(dtype));
  const profile::Kernel profiled("softmax");
  at::parallel_for(0, block.outer, grain, [&](int64_t begin, int64_t end) {
    std::vector<float> buffer(dtype == at::kFloat ? 0 : sources * block.channels);
    for (int64_t r = begin; r < end; ++r) {
      std::array<const float*, sources> in;
      for (int i = 0; i < sources; ++i) {
        const void* from = static_cast<const char*>(src[i]) + r * bytes;
        in[i] = static_cast<const float*>(from);
        if (dtype != at::kFloat) {
          float* copy = buffer.data() + i * block.channels;
          to_float(dtype, from, copy, block.channels);
          in[i] = copy;
        }
      }
      void* to = static_cast<char*>(dst) + r * bytes;
      float* out = dtype == at::kFloat ? static_cast<float*>(to) : buffer.data();
      row(in, out);
      if (dtype != at::kFloat)
        from_float(dtype, out, to, block.channels);
    }
  });
}

// tile(offset, width) for every group of neighbouring columns.
template <class F>
void each_tile(const Block& block, F tile) {
  const int64_t tiles = (block.inner + vec::kTile - 1) / vec::kTile;
  const int64_t grain = std::max<int64_t>(1, 4096 / (block.channels * vec::kTile));
  const profile::Kernel profiled("softmax");
  at::parallel_for(0, block.outer * tiles, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t column = i % tiles * vec::kTile;
      tile(i / tiles * block.channels * block.inner + column, std::min(vec::kTile, block.inner - column));
    }
  });
}

void run_forward(const void* src, void* dst, c10::ScalarType dtype, const Block& block, bool log) {
  const auto& functions = vec::row_functions();
  if (block.inner == 1)
    return each_row<1>({src}, dst, dtype, block, [&](const auto& in, float* out) {
      functions.softmax(in[0], out, block.channels, log);
    });
  const auto* from = static_cast<const float*>(src);
  auto* to = static_cast<float*>(dst);
  each_tile(block, [&](int64_t offset, int64_t width) {
    functions.softmax_columns(from + offset, to + offset, block.channels, block.inner, width, log);
  });
}

// Rows of other types are converted one by one, columns are not.
bool serves(const Block& block, c10::ScalarType dtype) {
  return block.inner == 1 || dtype == at::kFloat;
}

} // namespace

at::Tensor softmax_forward(const at::Tensor& self, int64_t dim, bool log) {
  if (!is_serviceable(self, dim))
    return {};
  at::Tensor copy;
  const auto src = read_dense(self, copy);
  const Block block = block_of(self, src.strides(), dim);
  if (!serves(block, self.scalar_type()))
    return {};
  const auto dst =
      forms::make_result(self.sizes(), forms::row_major_strides(self.sizes()), src.strides(), self.options());
  run_forward(src.data, dst.data, self.scalar_type(), block, log);
  return dst.tensor;
}

bool softmax_forward_into(const at::Tensor& self, int64_t dim, bool log, const at::Tensor& out) {
  if (!is_serviceable(self, dim) || !on_device(out) || !is_plain_float(out) ||
      out.scalar_type() != self.scalar_type() || out.sizes() != self.sizes())
    return false;
  at::assert_no_internal_overlap(out);
  if (at::get_overlap_status(out, self) == at::MemOverlapStatus::Partial && out.is_contiguous())
    return false; // what is read then depends on what was written: as the CPU kernel does it
  const at::Tensor dst = softmax_forward(self, dim, log);
  if (dst.defined())
    out.copy_(dst);
  return dst.defined();
}

at::Tensor softmax_backward(const at::Tensor& diff_dst, const at::Tensor& dst, int64_t dim, bool log) {
  if (!is_serviceable(dst, dim) || !on_device(diff_dst) || !is_plain_float(diff_dst) ||
      diff_dst.scalar_type() != dst.scalar_type() || diff_dst.sizes() != dst.sizes())
    return {};
  at::Tensor copy, other_copy;
  const auto y = read_dense(dst, copy);
  if (!onednn::supports(dst.scalar_type()))
    other_copy = diff_dst.contiguous();
  const auto g = other_copy.defined() ? forms::read(other_copy) : forms::read_as(diff_dst, y.strides());
  const Block block = block_of(dst, y.strides(), dim);
  if (!serves(block, dst.scalar_type()))
    return {};
  const auto diff_src =
      forms::make_result(dst.sizes(), forms::row_major_strides(dst.sizes()), y.strides(), dst.options());
  const auto& functions = vec::row_functions();
  if (block.inner == 1) {
    each_row<2>({g.data, y.data}, diff_src.data, dst.scalar_type(), block, [&](const auto& in, float* out) {
      functions.softmax_backward(in[0], in[1], out, block.channels, log);
    });
  } else {
    const auto *from = static_cast<const float*>(g.data), *made = static_cast<const float*>(y.data);
    auto* to = static_cast<float*>(diff_src.data);
    each_tile(block, [&](int64_t offset, int64_t width) {
      functions.softmax_columns_backward(
          from + offset, made + offset, to + offset, block.channels, block.inner, width, log);
    });
  }
  return diff_src.tensor;
}

} // namespace ipex::ops
