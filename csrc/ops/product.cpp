// Chooses how to multiply matrices.
//
// Measured on Zen 3 (AVX2, 102 GFLOP/s per core), GFLOP/s of one core for float32:
//                              [128,768]x[768,3072]   [512,768]x[768,3072]   [16,768]x[768,3072]   12 x [128,64]x[64,128]
//   matmul, weights as rows             43                     84                     45                     92
//   matmul, weights as columns          79                     83                     51                     91
//   inner product, packed               84                     87                     99
//   MKL in stock PyTorch              71..74                 76..78                   45                     84
// The 43 is a kernel of oneDNN that reads few rows of src against weights whose rows are a multiple of 4096 bytes apart,
// which fall into one set of the cache; packing at every call (72) beats it. Otherwise packing pays only when the copy
// is used again, and weights in training are written after each use. Backward products do not differ.
// Our own loops (tiled_product.h) reach 87 to 96 with many rows and packed weights; with weights as they lie, which they
// would have to pack for each product, they are no faster than oneDNN.
// On Sapphire Rapids (AVX-512, 198 GFLOP/s per core) with weights that are not in the caches, two cores, ours against the
// inner product: [128,768]x[768,3072] 358 against 305, 32 rows 206 against 195, 8 rows 87 against 78, 4 rows 48 against 49.
#include "ops/product.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/profile.h"
#include "fusion/fused_run.h"
#include "fusion/names.h"
#include "onednn/details.h"
#include "onednn/engine.h"
#include "ops/simd.h"
#include "ops/small_product.h"
#include "ops/tiled_product.h"

namespace ipex::ops {

namespace {

using onednn::Layout;

// Products of fewer multiplications do not make up for looking a packed copy up.
constexpr int64_t kSmallestPacked = 1 << 16;

Layout transpose(Layout layout) {
  std::swap(layout.sizes[layout.rank - 1], layout.sizes[layout.rank - 2]);
  std::swap(layout.strides[layout.rank - 1], layout.strides[layout.rank - 2]);
  return layout;
}

// Gives dimensions of size 1 strides that oneDNN understands. False when neither rows nor columns are adjacent, or when
// they overlap.
bool normalize(Layout& layout) {
  const int row = layout.rank - 2, column = layout.rank - 1;
  const int64_t rows = layout.sizes[row], columns = layout.sizes[column];
  int64_t &row_stride = layout.strides[row], &column_stride = layout.strides[column];
  if (columns == 1) {
    column_stride = 1;
    if (rows == 1)
      row_stride = 1;
  } else if (rows == 1) {
    row_stride = column_stride == 1 ? columns : 1;
  }
  if (layout.rank == 3) {
    if (layout.strides[0] == 0) // expanded: oneDNN repeats a batch of size 1
      layout.sizes[0] = 1;
    if (layout.sizes[0] == 1)
      layout.strides[0] = rows * columns;
  }
  const bool adjacent = (column_stride == 1 && row_stride >= columns) || (row_stride == 1 && column_stride >= rows);
  return adjacent && (layout.rank == 2 || layout.disjoint());
}

bool in_rows(const Layout& layout) {
  return layout.strides[layout.rank - 1] == 1;
}

// Whether our own loops serve, and are the faster way. oneDNN's kernel is at its best with few rows, with AVX2 as long as
// they are short; but a second copy of the weights would cost more than it gains.
bool tiled_pays(const Weights::Parameter& weights, int64_t rows) {
  constexpr int64_t kManyRows = 96, kSomeRows = 8, kLongRow = 3072;
  const Layout& layout = weights.layout;
  const bool suits_few_rows = has_avx512_loops() || layout.sizes[1] >= kLongRow;
  return takes_tiled_products(layout.dtype) &&
      (rows >= kManyRows || (rows >= kSomeRows && suits_few_rows) ||
       forms::is_packed(weights.tensor, layout, panels(layout)));
}

forms::Operand copied(const forms::Operand& operand) {
  return forms::copy(operand, forms::row_major_strides(operand.sizes()));
}

// oneDNN's inner product on AVX2 loses a quarter of its speed when it finds no good divisor of the number of rows: 197
// (a vision transformer's tokens) take longer than 200. Other sizes are not worth the copies.
int64_t padded_rows(int64_t rows) {
  return rows < 96 || rows > 1024 || rows % 8 == 0 ? rows : (rows + 7) / 8 * 8;
}

void copy_bytes(const void* src, void* dst, int64_t bytes) {
  const profile::Kernel profiled("copy");
  at::parallel_for(0, bytes, 1 << 18, [&](int64_t begin, int64_t end) {
    std::memcpy(static_cast<char*>(dst) + begin, static_cast<const char*>(src) + begin, end - begin);
  });
}

// A copy of the matrix `operand` in row-major order with zeros below it.
forms::Operand with_rows(const forms::Operand& operand, int64_t rows) {
  const bool in_order = in_rows(operand.layout) && operand.dense();
  const forms::Operand dense = in_order ? operand : copied(operand);
  const int64_t bytes =
      dense.layout.elements() * static_cast<int64_t>(dnnl::memory::data_type_size(dense.layout.dtype));
  const int64_t row_bytes = bytes / dense.layout.sizes[0];
  const auto made = forms::make_contiguous_result(
      {rows, dense.layout.sizes[1]},
      at::TensorOptions(c10::Device(c10::DeviceType::PrivateUse1)).dtype(onednn::scalar_type(dense.layout.dtype)));
  copy_bytes(dense.data, made.data, bytes);
  std::memset(static_cast<char*>(made.data) + bytes, 0, rows * row_bytes - bytes);
  return {made.data, made.layout, made.tensor, made.pin};
}

} // namespace

forms::Operand Weights::values() && {
  if (tensor_ == nullptr)
    return std::move(values_);
  auto read = forms::read(*tensor_);
  return transposed_ ? read.transposed() : read;
}

std::optional<Weights::Parameter> Weights::parameter() const {
  if (tensor_ == nullptr)
    return std::nullopt;
  const Layout plain = forms::plain_layout(*tensor_);
  const Layout seen = transposed_ ? plain : transpose(plain);
  if (!forms::packing_pays(*tensor_, seen, reuse_))
    return std::nullopt;
  return Parameter{*tensor_, seen};
}

std::optional<Product> Product::plan(
    forms::Operand src,
    Weights weights,
    const Layout& dst,
    Factors factors,
    onednn::Bias bias) {
  Product product;
  product.alpha_ = factors.alpha;
  product.src_ = std::move(src);
  if (!normalize(product.src_.layout))
    product.src_ = copied(product.src_);
  const int64_t rows = dst.sizes[dst.rank - 2];
  const int64_t multiplications = dst.elements() * product.src_.layout.sizes[dst.rank - 1];
  const bool simple = dst.rank == 2 && factors.alpha == 1 && factors.beta == 0 && in_rows(dst) && dst.dense();
  const bool packable = simple && multiplications >= kSmallestPacked;
  if (packable)
    if (const auto parameter = weights.parameter()) {
      if (tiled_pays(*parameter, rows)) {
        product.plan_tiled(*parameter);
        return product;
      }
      if (product.plan_packed(parameter, dst, bias))
        return product;
    }
  product.weights_ = std::move(weights).values();
  const auto& layout = product.weights_.layout;
  if (simple && multiplications <= kSmallProduct && product.plan_small(dst))
    return product;
  if (!normalize(product.weights_.layout))
    product.weights_ = copied(product.weights_);
  if (dst.rank == 3 && product.src_.layout.sizes[0] == 1 && layout.sizes[0] == 1 && dst.sizes[0] != 1) {
    product.src_.layout.sizes[0] = dst.sizes[0]; // both are expanded: oneDNN repeats one of them at most
    product.src_.layout.strides[0] = 0;
    product.src_ = copied(product.src_);
  }
  if (!product.plan_plain(dst, factors, bias))
    return std::nullopt;
  const bool slow = packable && rows >= 16 && rows < 320 && layout.sizes[0] >= 256 && in_rows(layout) &&
      layout.strides[0] % 1024 == 0 && product.kernel_->implementation().starts_with("gemm:jit");
  if (slow)
    product.plan_packed(std::nullopt, dst, bias);
  return product;
}

bool Product::plan_small(const Layout& dst) {
  return dst.dtype == dnnl::memory::data_type::f32 && in_rows(src_.layout) && normalize(weights_.layout);
}

void Product::plan_tiled(const Weights::Parameter& parameter) {
  const Layout& view = parameter.layout;
  packed_ = forms::pack(parameter.tensor, view, panels(view));
  if (!in_rows(src_.layout))
    src_ = copied(src_);
  tiled_.emplace();
  tiled_->rows = src_.layout.sizes[0];
  tiled_->columns = view.sizes[0];
  tiled_->depth = view.sizes[1];
  tiled_->left = {static_cast<const float*>(src_.data), src_.layout.strides[0], nullptr};
  tiled_->right = {static_cast<const float*>(packed_.data), view.sizes[1] * simd::kPanel, nullptr};
  tiled_->dst.stride = tiled_->columns;
}

bool Product::plan_packed(const std::optional<Weights::Parameter>& parameter, const Layout& dst, onednn::Bias bias) {
  const Layout seen = parameter ? parameter->layout : transpose(weights_.layout);
  onednn::InnerProduct spec{
      .rows = dst.sizes[0], .in = seen.sizes[1], .out = seen.sizes[0], .dtype = dst.dtype, .bias = bias};
  auto kernel = onednn::find(spec);
  if (!kernel)
    return false;
  if (kernel->implementation() == "brgemm:avx2" && padded_rows(spec.rows) != spec.rows) {
    spec.rows = padded_rows(spec.rows);
    kernel = onednn::find(spec);
  }
  const int64_t rows = spec.rows;
  if (rows != dst.sizes[0])
    src_ = with_rows(src_, rows);
  else if (!in_rows(src_.layout) || !src_.layout.dense())
    src_ = copied(src_);
  if (rows != dst.sizes[0])
    padded_dst_ = forms::make_contiguous_result({rows, dst.sizes[1]}, src_.owner.options());
  wanted_bytes_ = dst.elements() * static_cast<int64_t>(dnnl::memory::data_type_size(dst.dtype));
  kernel_ = std::move(kernel);
  spec_ = spec;
  packed_ = parameter ? forms::pack(parameter->tensor, seen, kernel_->weights())
                      : forms::pack_once(weights_.data, seen, kernel_->weights());
  return true;
}

bool Product::plan_plain(Layout dst, Factors factors, onednn::Bias bias) {
  if (!normalize(dst))
    return false;
  const bool swapped = !in_rows(dst);
  if (swapped) { // dst^T = weights^T x src^T
    if (bias != onednn::Bias::kNone)
      return false;
    dst = transpose(dst);
    std::swap(src_, weights_);
    src_ = src_.transposed();
    weights_ = weights_.transposed();
  }
  const onednn::MatMul spec{
      .src = src_.layout,
      .weights = weights_.layout,
      .dst = dst,
      .beta = factors.beta,
      .bias = bias,
      .has_alpha = factors.alpha != 1};
  kernel_ = onednn::find(spec);
  if (factors.beta == 0 && factors.alpha == 1 && !swapped && dst.dense() &&
      dst.elements() * src_.layout.sizes[dst.rank - 1] >= kSmallestPacked)
    plain_spec_ = spec;
  return kernel_ != nullptr;
}

void Product::run_tiled_with(void* dst, const void* bias, c10::ArrayRef<const fusion::PostOp*> steps) const {
  simd::MatrixProduct product = *tiled_;
  product.dst.first = static_cast<float*>(dst);
  product.bias = static_cast<const float*>(bias);
  const auto details = [&] {
    return profile::Details{
        {{at::kFloat, {product.rows, product.depth}}, {at::kFloat, {product.columns, product.depth}}},
        fusion::names(steps)};
  };
  const auto problem = [&] {
    const std::string post_ops = fusion::names(steps);
    return c10::str(
        "undef,src_f32 wei_f32::blocked:Ab16a dst_f32,",
        post_ops.empty() ? "" : "attr-post-ops:",
        post_ops,
        ",,",
        product.rows,
        "x",
        product.depth,
        ":",
        product.depth,
        "x",
        product.columns);
  };
  const TiledExecution execution("matmul", problem, details);
  run_tiled(product, [&](const simd::ProductBlock& block) {
    const int64_t first = block.first_panel * simd::kPanel,
                  width = std::min(product.columns, block.last_panel * simd::kPanel) - first;
    for (int64_t row = block.first_row; row < block.last_row; ++row)
      for (const fusion::PostOp* step : steps) {
        const int64_t offset = row * product.columns + first;
        step->run(product.dst.first + offset, product.dst.first + offset, offset, width);
      }
  });
}

fusion::Base::Done Product::run(
    void* dst,
    const fusion::HeldBias& bias,
    const fusion::Held& src,
    const std::optional<fusion::Held>& weights,
    c10::ArrayRef<const fusion::PostOp*> steps) const {
  using Kind = fusion::PostOp::Kind;
  // Blocks of our own loops are no whole rows, and rows that were added have no operands.
  const auto fits = [&](const fusion::PostOp* step) {
    return step->kind != Kind::kScaleShift && (step->kind != Kind::kBinary || !padded_dst_.data);
  };
  const auto count = std::find_if_not(steps.begin(), steps.end(), fits) - steps.begin();
  const auto first = steps.slice(0, count);
  if (tiled_) {
    run_tiled_with(dst, bias.data(), first);
    return {first.size(), std::numeric_limits<double>::infinity()};
  }
  const onednn::Argument operands[] = {
      {DNNL_ARG_SRC, src_.data},
      {DNNL_ARG_WEIGHTS, is_packed() ? packed_.data : weights_.data},
      {DNNL_ARG_BIAS, bias.data()},
      {DNNL_ARG_DST, padded_dst_.data ? padded_dst_.data : dst}};
  const bool needs_bound = fusion::needs_bound(first);
  if (!is_packed()) {
    const float largest = needs_bound ? weights->bound() : weights->known_bound();
    const int64_t depth = src_.layout.sizes[src_.layout.rank - 1];
    return fusion::run_fused(
        *plain_spec_, kernel_, operands, first, fusion::bound_of_sums(src, largest, depth, bias, needs_bound));
  }
  const float largest = fusion::largest_magnitude(packed_, spec_->dtype);
  const double bound = fusion::bound_of_sums(src, largest, spec_->in, bias, needs_bound);
  const auto done = fusion::run_fused(*spec_, kernel_, operands, first, bound);
  if (padded_dst_.data)
    copy_bytes(padded_dst_.data, dst, wanted_bytes_);
  return done;
}

void Product::run(void* dst, const void* bias) const {
  if (tiled_)
    return run_tiled_with(dst, bias, {});
  if (!kernel_) {
    const auto &src = src_.layout, &weights = weights_.layout;
    const bool one_column = weights.sizes[1] == 1 && weights.strides[0] == 1;
    const bool rows = in_rows(weights) && !one_column;
    const SmallProduct small{
        .src = static_cast<const float*>(src_.data),
        .weights = static_cast<const float*>(weights_.data),
        .bias = static_cast<const float*>(bias),
        .dst = static_cast<float*>(dst),
        .rows = src.sizes[0],
        .in = src.sizes[1],
        .out = weights.sizes[1],
        .src_stride = src.strides[0],
        .weights_stride = weights.strides[rows ? 0 : 1]};
    const profile::Kernel profiled("matmul", "ipex:small", [&] {
      return profile::Details{{onednn::operand_of(src), onednn::operand_of(weights)}};
    });
    return rows ? small_product_of_rows(small) : small_product_of_columns(small);
  }
  kernel_->run(
      {{DNNL_ARG_SRC, src_.data},
       {DNNL_ARG_WEIGHTS, packed_.data ? packed_.data : weights_.data},
       {DNNL_ARG_BIAS, bias},
       {DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, alpha_ != 1 ? &alpha_ : nullptr},
       {DNNL_ARG_DST, padded_dst_.data ? padded_dst_.data : dst}});
  if (padded_dst_.data)
    copy_bytes(padded_dst_.data, dst, wanted_bytes_);
}

} // namespace ipex::ops
