// Cuts a product into blocks that the threads take one after the other, so that none waits for a core that is disturbed.
#include "ops/tiled_product.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#include "core/recorder.h"
#include "onednn/engine.h"
#include "onednn/scratchpad.h"
#include "ops/simd.h"

namespace ipex::ops {

namespace {

const char* implementation() {
  return has_avx512_loops() ? "ipex:avx512" : "ipex:avx2";
}

// Multiplications that pay for waking another thread.
constexpr int64_t kPerThread = 1 << 18;
constexpr int64_t kBlocksPerThread = 4;

struct Blocks {
  int64_t rows, panels; // of a block
  int64_t across, down; // number of blocks
};

int64_t divide_up(int64_t value, int64_t by) {
  return (value + by - 1) / by;
}

Blocks cut(const simd::MatrixProduct& p, int64_t threads, int64_t tile) {
  const int64_t panels = divide_up(p.columns, simd::kPanel);
  if (threads == 1)
    return {p.rows, panels, 1, 1};
  const bool packs = p.packs();
  const int64_t most = packs ? simd::kPackedBlockRows : simd::kBlockRows;
  int64_t rows = divide_up(divide_up(p.rows, divide_up(p.rows, most)), tile) * tile, width = panels;
  const auto count = [&] { return divide_up(p.rows, rows) * divide_up(panels, width); };
  const int64_t narrowest = packs ? 8 : 1;
  while (count() < kBlocksPerThread * threads && width > narrowest)
    width = std::max(narrowest, divide_up(width, 2));
  while (count() < kBlocksPerThread * threads && rows > 2 * tile && !packs)
    rows = divide_up(divide_up(rows, 2), tile) * tile;
  return {rows, width, divide_up(panels, width), divide_up(p.rows, rows)};
}

} // namespace

bool takes_tiled_products(dnnl::memory::data_type dtype) {
  return simd_kernels() != nullptr && dtype == dnnl::memory::data_type::f32;
}

dnnl::memory::desc panels(const onednn::Layout& weights) {
  using tag = dnnl::memory::format_tag;
  const tag tags[] = {tag::Acb16a, tag::Acdb16a, tag::Acdeb16a};
  const int32_t rank = std::max(3, weights.rank); // oneDNN has no name for such a layout of two dimensions
  const onednn::Layout view = weights.with_rank(rank);
  return {dnnl::memory::dims(view.sizes.begin(), view.sizes.begin() + rank), view.dtype, tags[rank - 3]};
}

TiledExecution::TiledExecution(
    const char* primitive,
    c10::function_ref<std::string()> problem,
    c10::function_ref<profile::Details()> details)
    : log_(primitive, implementation(), problem),
      profiled_(primitive, implementation(), details) {
  if (C10_UNLIKELY(recorder::active()))
    recorder::note_primitive(primitive, implementation());
}

void run_tiled(const simd::MatrixProduct& product) {
  run_tiled(product, [](const simd::ProductBlock&) {});
}

void run_tiled(const simd::MatrixProduct& product, c10::function_ref<void(const simd::ProductBlock&)> finish) {
  const simd::Kernels& kernels = *simd_kernels();
  const bool packs = product.packs();
  const auto scratch = packs ? static_cast<size_t>(kernels.matrix_product_scratch()) : 0;
  const int64_t work = product.rows * product.columns * product.depth;
  const int64_t threads =
      at::in_parallel_region() ? 1 : std::clamp<int64_t>(work / kPerThread, 1, at::get_num_threads());
  const Blocks blocks = cut(product, threads, kernels.tile_rows);
  const int64_t panels = divide_up(product.columns, simd::kPanel), count = blocks.across * blocks.down;
  std::atomic<int64_t> next{0};
  const auto work_off = [&](int64_t, int64_t) {
    auto* memory = packs ? static_cast<float*>(onednn::scratchpad(scratch)) : nullptr;
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      const int64_t row = i % blocks.down * blocks.rows, panel = i / blocks.down * blocks.panels;
      const simd::ProductBlock block{
          row, std::min(product.rows, row + blocks.rows), panel, std::min(panels, panel + blocks.panels)};
      kernels.matrix_product(product, block, memory);
      finish(block);
    }
  };
  if (threads == 1)
    work_off(0, 1);
  else
    at::parallel_for(0, threads, 1, work_off);
}

} // namespace ipex::ops
