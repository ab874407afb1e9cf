// Cuts a product of bytes into blocks, which pass through the steps while they are in the cache.
#include "ops/byte_product.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <limits>

#include "core/profile.h"
#include "core/recorder.h"
#include "forms/buffer.h"
#include "fusion/names.h"
#include "onednn/details.h"
#include "onednn/engine.h"
#include "onednn/scratchpad.h"
#include "onednn/verbose.h"
#include "ops/simd.h"

namespace ipex::ops {

namespace {

constexpr const char* kImplementation = "ipex:avx512_vnni";
constexpr int64_t kTileRows = 14, kTilePanels = 2;

int64_t divide_up(int64_t value, int64_t by) {
  return (value + by - 1) / by;
}

struct Blocks {
  int64_t rows, panels; // of a block
  int64_t across, down; // number of blocks
};

// Blocks of whole tiles: as many rows as stay in the second cache with a panel, and enough blocks for all threads.
Blocks cut(int64_t rows, int64_t panels, int64_t threads) {
  constexpr int64_t kMostRows = 140, kMostPanels = 16, kBlocksPerThread = 4;
  int64_t height = divide_up(divide_up(rows, divide_up(rows, kMostRows)), kTileRows) * kTileRows;
  int64_t width = std::min(panels, kMostPanels);
  const auto count = [&] { return divide_up(rows, height) * divide_up(panels, width); };
  while (threads > 1 && count() < kBlocksPerThread * threads && width > kTilePanels)
    width = divide_up(divide_up(width, 2), kTilePanels) * kTilePanels;
  return {height, width, divide_up(panels, width), divide_up(rows, height)};
}

// int8 values as uint8, larger by 128; the sums of the weights make up for that. Kept with the values: the projections of an
// attention read the same ones.
std::shared_ptr<const forms::Buffer> raised(const forms::Operand& src) {
  const auto count = static_cast<size_t>(src.layout.elements());
  const bool is_whole = src.buffer && src.buffer->data.get() == src.data && src.buffer->nbytes == count;
  if (is_whole)
    if (auto known = src.buffer->raised.load())
      return known;
  auto made = forms::make_buffer(count);
  const auto* from = static_cast<const uint8_t*>(src.data);
  auto* to = static_cast<uint8_t*>(made->data.get());
  at::parallel_for(0, src.layout.elements(), 1 << 16, [&](int64_t begin, int64_t end) {
    std::transform(from + begin, from + end, to + begin, [](uint8_t value) { return value ^ 0x80; });
  });
  if (is_whole)
    src.buffer->raised.store(made);
  return made;
}

} // namespace

bool takes_byte_products(int64_t rows, int64_t depth) {
  constexpr int64_t kFewestRows = 8; // below it, reading the weights is all the work
  return depth % 4 == 0 && rows >= kFewestRows && has_avx512_loops() && onednn::has_int8_instructions() &&
      !onednn::has_tiles();
}

dnnl::memory::desc byte_panels(int64_t outputs, int64_t inputs) {
  return {{outputs, inputs}, dnnl::memory::data_type::s8, dnnl::memory::format_tag::AB16b16a4b};
}

void ByteProduct::execute(void* dst, const forms::Quantization* as, c10::ArrayRef<const fusion::PostOp*> steps) const {
  ChannelFactors channels(operands_);
  while (!steps.empty() && channels.take(*steps.front()))
    steps = steps.slice(1);
  const forms::Operand& src = operands_.src.operand;
  const int64_t depth = operands_.products, columns = operands_.channels, panels = divide_up(columns, simd::kPanel);
  const bool is_signed = src.layout.dtype == dnnl::memory::data_type::s8;
  const auto left = is_signed ? raised(src) : nullptr;
  std::vector<int32_t> initial(is_signed ? panels * simd::kPanel : 0);
  const auto& sums = operands_.weights.buffer->sums;
  if (is_signed)
    std::transform(sums.begin(), sums.end(), initial.begin(), [](int32_t sum) { return -128 * sum; });
  constexpr int64_t kPackedDepth = 64; // the layout's blocks
  const simd::ByteProduct product{
      .rows = rows_,
      .columns = columns,
      .depth = depth,
      .left = static_cast<const uint8_t*>(left ? left->data.get() : src.data),
      .left_stride = depth,
      .right = static_cast<const int8_t*>(operands_.weights.data),
      .right_stride = divide_up(depth, kPackedDepth) * kPackedDepth * simd::kPanel,
      .initial = is_signed ? initial.data() : nullptr,
      .factors = channels.factors.data(),
      .bias = channels.bias.empty() ? nullptr : channels.bias.data()};
  const onednn::LoggedExecution log("inner_product", kImplementation, [&] {
    const std::string post_ops = fusion::names(steps);
    return c10::str(
        "forward_inference,src_",
        is_signed ? "s8" : "u8",
        " wei_s8::blocked:AB16b16a4b dst_",
        as == nullptr                                  ? "f32"
            : as->dtype == dnnl::memory::data_type::u8 ? "u8"
                                                       : "s8",
        post_ops.empty() ? "," : ",attr-post-ops:",
        post_ops,
        ",,mb",
        rows_,
        "ic",
        depth,
        "oc",
        columns);
  });
  const profile::Kernel profiled("inner_product", kImplementation, [&] {
    return profile::Details{{onednn::operand_of(src.layout), {at::kChar, {columns, depth}}}, fusion::names(steps)};
  });
  if (C10_UNLIKELY(recorder::active()))
    recorder::note_primitive("inner_product", kImplementation);
  const auto kernel = simd_kernels()->byte_product;
  constexpr int64_t kPerThread = 1 << 19; // multiplications that pay for waking another thread
  const int64_t threads = at::in_parallel_region()
      ? 1
      : std::clamp<int64_t>(rows_ * columns * depth / kPerThread, 1, at::get_num_threads());
  const Blocks blocks = cut(rows_, panels, threads);
  const int64_t count = blocks.across * blocks.down;
  std::atomic<int64_t> next{0};
  const auto work_off = [&](int64_t, int64_t) {
    auto* const work = as == nullptr
        ? nullptr
        : static_cast<float*>(onednn::scratchpad(blocks.rows * blocks.panels * simd::kPanel * sizeof(float)));
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      const int64_t row = i % blocks.down * blocks.rows, panel = i / blocks.down * blocks.panels;
      const simd::ProductBlock block{
          row, std::min(rows_, row + blocks.rows), panel, std::min(panels, panel + blocks.panels)};
      const int64_t first = block.first_panel * simd::kPanel,
                    width = std::min(columns, block.last_panel * simd::kPanel) - first;
      float* const values = work ? work : static_cast<float*>(dst) + row * columns + first;
      const int64_t stride = work ? width : columns;
      kernel(product, block, values, stride);
      for (int64_t r = block.first_row; r < block.last_row; ++r) {
        float* const line = values + (r - block.first_row) * stride;
        const int64_t offset = r * columns + first;
        for (const fusion::PostOp* step : steps)
          step->run(line, line, offset, width);
        if (as != nullptr)
          forms::byte_functions(as->dtype).from_float(line, static_cast<char*>(dst) + offset, width, as->scale);
      }
    }
  };
  if (threads == 1)
    work_off(0, 1);
  else
    at::parallel_for(0, threads, 1, work_off);
}

fusion::Base::Done ByteProduct::run(void* dst, c10::ArrayRef<const fusion::PostOp*> steps) const {
  const auto end = std::find_if_not(steps.begin(), steps.end(), [](const auto* step) { return takes(*step); });
  const auto first = steps.slice(0, end - steps.begin());
  execute(dst, nullptr, first);
  return {first.size(), std::numeric_limits<double>::infinity()};
}

std::optional<fusion::Base::Done> ByteProduct::run_quantized(
    void* dst,
    const forms::Quantization& as,
    c10::ArrayRef<const fusion::PostOp*> steps) const {
  if (!std::all_of(steps.begin(), steps.end(), [](const auto* step) { return takes(*step); }))
    return std::nullopt;
  execute(dst, &as, steps);
  return Done{steps.size(), as.bound()};
}

} // namespace ipex::ops
