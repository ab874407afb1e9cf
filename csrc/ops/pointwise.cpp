// Decides whether element-wise loops serve the operands, and describes the loop over their physical strides.
#include "ops/pointwise.h"

#include <ATen/MemoryOverlap.h>

#include <algorithm>

#include "aten/on_device.h"
#include "forms/operand.h"
#include "forms/order.h"
#include "forms/quantized.h"
#include "fusion/open_primitive.h"
#include "int8/turn.h"
#include "onednn/engine.h"
#include "ops/pointwise_loop.h"
#include "ops/result_strides.h"

namespace ipex::ops {

std::optional<float> number_in(c10::ScalarType dtype, const at::Scalar& scalar) {
  if (scalar.isComplex())
    return std::nullopt;
  const float value =
      scalar.isFloatingPoint() ? static_cast<float>(scalar.toDouble()) : static_cast<float>(scalar.toLong());
  if (dtype == at::kBFloat16)
    return static_cast<float>(c10::BFloat16(value));
  return dtype == at::kHalf ? static_cast<float>(c10::Half(value)) : value;
}

namespace detail {

namespace {

constexpr int64_t kMaxRank = onednn::Layout::kMaxRank;

bool is_serviceable(c10::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf;
}

// A CPU scalar, such as the 2 of `x * 2`: takes part with its value only.
bool is_cpu_scalar(const at::Tensor& tensor) {
  return tensor.dim() == 0 && tensor.device().is_cpu();
}

bool is_strided(const at::Tensor& tensor) {
  return tensor.defined() && tensor.layout() == at::kStrided && !tensor.is_nested() && tensor.dim() <= kMaxRank &&
      !tensor.is_conj() && !tensor.is_neg();
}

// The dtype in which all sources take part; Undefined when there is none that these loops serve. bfloat16 beside float32
// is read as that.
c10::ScalarType common_dtype(Sources src) {
  auto dtype = c10::ScalarType::Undefined;
  bool dimensioned = false, all_dimensioned = true, mixed = false;
  for (const at::Tensor* tensor : src) {
    if (!is_strided(*tensor))
      return c10::ScalarType::Undefined;
    if (is_cpu_scalar(*tensor) || tensor->scalar_type() == at::kBool)
      continue;
    const auto other = tensor->scalar_type();
    if (!on_device(*tensor) || !is_serviceable(other))
      return c10::ScalarType::Undefined;
    if (dtype != c10::ScalarType::Undefined && other != dtype) {
      if (other == at::kHalf || dtype == at::kHalf)
        return c10::ScalarType::Undefined;
      mixed = true;
    }
    dtype = mixed ? at::kFloat : other;
    dimensioned |= tensor->dim() > 0;
    all_dimensioned &= tensor->dim() > 0;
  }
  if (mixed && !all_dimensioned) // the dtype of a scalar counts less
    return c10::ScalarType::Undefined;
  for (const at::Tensor* tensor : src) {
    if (!is_cpu_scalar(*tensor))
      continue;
    // Type promotion: a number, or a scalar among tensors with dimensions, does not widen a floating-point result.
    const bool follows = tensor->unsafeGetTensorImpl()->is_wrapped_number() || dimensioned;
    if (tensor->is_complex() || !(follows || tensor->scalar_type() == dtype))
      return c10::ScalarType::Undefined;
  }
  return dtype;
}

bool spans(const at::Tensor& tensor, c10::IntArrayRef sizes) {
  if (tensor.sizes() != sizes || tensor.scalar_type() == at::kBool)
    return false;
  for (int64_t dim = 0; dim < tensor.dim(); ++dim)
    if (tensor.size(dim) != 1 && tensor.stride(dim) == 0)
      return false;
  return true;
}

// Where the elements of the result go: in the order of the first source of its size that lies in another order than
// PyTorch shows, or else of the first source of its size.
c10::DimVector physical_strides(
    Sources src,
    c10::ArrayRef<forms::Operand> operands,
    c10::IntArrayRef sizes,
    const c10::DimVector& logical) {
  const forms::Operand* leader = nullptr;
  for (size_t i = 0; i < src.size(); ++i) {
    if (is_cpu_scalar(*src[i]) || !spans(*src[i], sizes))
      continue;
    const bool physical = !forms::same_order(sizes, src[i]->strides(), operands[i].strides());
    if (leader == nullptr || physical)
      leader = &operands[i];
    if (physical)
      break;
  }
  if (leader == nullptr || sizes.empty())
    return logical;
  return forms::compact_strides(sizes, leader->strides());
}

forms::Operand read_source(const at::Tensor& tensor) {
  if (is_cpu_scalar(tensor))
    return {};
  return forms::read(tensor);
}

// `operand` aligned to the last of `rank` dimensions, with stride 0 where it is repeated.
void add_source(PointwiseLoop& loop, const at::Tensor& tensor, const forms::Operand& operand) {
  auto& source = loop.sources[loop.source_count++];
  source.dtype = tensor.scalar_type();
  source.strides = {};
  if (is_cpu_scalar(tensor)) {
    source.scalar = *number_in(at::kFloat, tensor.item());
    source.data = nullptr; // run() takes the address of `scalar`
    source.dtype = at::kFloat;
    return;
  }
  source.data = operand.data;
  const int64_t shift = loop.rank - tensor.dim();
  for (int64_t dim = 0; dim < tensor.dim(); ++dim)
    source.strides[shift + dim] = tensor.size(dim) == 1 ? 0 : operand.strides()[dim];
}

void set_destination(PointwiseLoop& loop, const forms::Result& dst) {
  const auto sizes = dst.tensor.sizes();
  loop.rank = static_cast<int>(sizes.size());
  std::copy(sizes.begin(), sizes.end(), loop.sizes.begin());
  loop.destination.data = dst.data;
  loop.destination.dtype = dst.tensor.scalar_type();
  for (int dim = 0; dim < loop.rank; ++dim)
    loop.destination.strides[dim] = dst.layout.strides_ref()[dim];
}

// Sizes after broadcasting; false when the sources do not fit together or there is nothing to compute.
bool broadcast(Sources src, c10::DimVector& sizes) {
  for (const at::Tensor* tensor : src) {
    const auto other = tensor->sizes();
    if (other.size() > sizes.size())
      sizes.insert(sizes.begin(), other.size() - sizes.size(), 1);
    const size_t shift = sizes.size() - other.size();
    for (size_t dim = 0; dim < other.size(); ++dim) {
      int64_t& size = sizes[shift + dim];
      if (size == 1)
        size = other[dim];
      else if (other[dim] != 1 && other[dim] != size)
        return false;
    }
  }
  return std::find(sizes.begin(), sizes.end(), 0) == sizes.end();
}

bool is_same_view(const at::Tensor& a, const at::Tensor& b) {
  return a.is_same(b) ||
      (a.storage_offset() == b.storage_offset() && a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
       a.strides() == b.strides());
}

// The source that an operator in int8 takes before it is rounded: the first that is not rounded yet.
size_t unrounded(Sources src) {
  size_t found = 0;
  while (found < src.size() && !forms::is_unrounded(*src[found]))
    ++found;
  return found;
}

// Another source, int8 where an operator in int8 takes it.
forms::Operand read_other(const at::Tensor& tensor) {
  return int8::active() ? forms::read_due(tensor) : forms::read_held(tensor);
}

// The call as a post-op of the open tensor src[self]; nothing when it is none, or the other source does not fit.
std::optional<fusion::PostOp> post_op(const Pointwise& call, Sources src, size_t self, const onednn::Layout& layout) {
  if (src.size() == 1)
    return fusion::PostOp::unary(call);
  const at::Tensor& other = *src[1 - self];
  if (self == 1 && call.parameters[0] != 1 && call.function.run == vec::functions().add.run)
    return std::nullopt;
  if (is_cpu_scalar(other))
    return self == 0 ? fusion::PostOp::binary(call, *number_in(at::kFloat, other.item())) : std::nullopt;
  if (other.sizes() != layout.sizes_ref() || onednn::data_type(other.scalar_type()) != layout.dtype ||
      !spans(other, other.sizes()))
    return std::nullopt;
  auto held = fusion::hold(other, forms::ordered(read_other(other), layout.strides_ref()));
  return held ? fusion::PostOp::binary(call, std::move(*held)) : std::nullopt;
}

bool may_extend(Sources src) {
  return fusion::any_open() && src.size() <= 2;
}

// The result as an open tensor; undefined when no source is open or this is no post-op.
at::Tensor extend(const Pointwise& call, Sources src, c10::IntArrayRef sizes) {
  const size_t only = int8::active() ? unrounded(src) : src.size();
  for (size_t self = 0; self < src.size(); ++self) {
    if (only != src.size() && self != only)
      continue;
    const auto layout = fusion::open_layout(*src[self]);
    if (!layout || src[self]->sizes() != sizes)
      continue;
    if (auto step = post_op(call, src, self, *layout))
      return fusion::extend(*src[self], std::move(*step), iterator_strides(src, sizes));
    return {};
  }
  return {};
}

// The result of an operator in int8 as an open tensor, if none of its sources is open, and one is held as int8.
at::Tensor extend_quantized(const Pointwise& call, Sources src, c10::IntArrayRef sizes) {
  if (src.size() > 2 || unrounded(src) != src.size())
    return {};
  for (size_t self = 0; self < src.size(); ++self) {
    if (is_cpu_scalar(*src[self]) || src[self]->sizes() != sizes || !forms::is_only_quantized(*src[self]))
      continue;
    const at::Tensor open = fusion::open_quantized(*src[self]);
    const auto layout = open.defined() ? fusion::open_layout(open) : std::nullopt;
    if (!layout)
      continue;
    if (auto step = post_op(call, src, self, *layout))
      return fusion::extend(open, std::move(*step), iterator_strides(src, sizes));
  }
  return {};
}

// A source that an operator in int8 takes rounded, as float32.
forms::Operand read_rounded(const at::Tensor& tensor) {
  if (!int8::active() || is_cpu_scalar(tensor))
    return read_source(tensor);
  forms::Operand operand = forms::read_due(tensor);
  return forms::is_byte(operand.layout.dtype) ? fusion::as_float(operand) : operand;
}

// The sources as an operator takes them.
c10::SmallVector<forms::Operand, 3> read_all(Sources src) {
  const size_t whole = int8::active() ? unrounded(src) : src.size();
  c10::SmallVector<forms::Operand, 3> operands(src.size());
  for (size_t i = 0; i < src.size(); ++i)
    if (i != whole)
      operands[i] = read_rounded(*src[i]);
  if (whole < src.size()) // after the others: it may be one of them
    operands[whole] = read_source(*src[whole]);
  return operands;
}

} // namespace

at::Tensor pointwise(const Pointwise& call, Sources src) {
  const auto dtype = common_dtype(src);
  c10::DimVector sizes;
  if (dtype == c10::ScalarType::Undefined || !broadcast(src, sizes))
    return {};
  if (may_extend(src))
    if (auto dst = extend(call, src, sizes); dst.defined())
      return dst;
  if (int8::active())
    if (auto dst = extend_quantized(call, src, sizes); dst.defined())
      return dst;
  auto operands = read_all(src);
  const c10::DimVector strides = iterator_strides(src, sizes);
  const bool can_reorder = onednn::supports(dtype);
  const c10::DimVector physical = can_reorder ? physical_strides(src, operands, sizes, strides) : strides;
  const auto dst = forms::make_result(sizes, strides, physical, at::TensorOptions(dtype));
  PointwiseLoop loop;
  set_destination(loop, dst);
  for (size_t i = 0; i < src.size(); ++i) {
    if (can_reorder && !is_cpu_scalar(*src[i]) && onednn::supports(src[i]->scalar_type()) && spans(*src[i], sizes) &&
        operands[i].dense())
      operands[i] = forms::ordered(operands[i], physical);
    add_source(loop, *src[i], operands[i]);
  }
  loop.run(call);
  return dst.tensor;
}

bool pointwise_into(const Pointwise& call, const at::Tensor& dst, Sources src) {
  const auto dtype = common_dtype(src);
  c10::DimVector sizes;
  if (dtype == c10::ScalarType::Undefined || !on_device(dst) || !is_strided(dst) || dst.scalar_type() != dtype ||
      !broadcast(src, sizes) || dst.sizes() != c10::IntArrayRef(sizes) ||
      at::has_internal_overlap(dst) == at::MemOverlap::Yes)
    return false;
  for (const at::Tensor* tensor : src)
    if (tensor->storage().is_alias_of(dst.storage()) && !is_same_view(*tensor, dst))
      return false;
  if (may_extend(src) && src[0]->is_same(dst))
    if (const auto layout = fusion::open_layout(dst))
      if (auto step = post_op(call, src, 0, *layout); step && fusion::extend_in_place(dst, std::move(*step)))
        return true;
  if (int8::active() && src.size() > 1 && src[1]->storage().is_alias_of(dst.storage()))
    forms::read_due(*src[1]); // rounds it, and so what is written
  c10::SmallVector<forms::Operand, 3> operands;
  for (const at::Tensor* tensor : src)
    operands.push_back(tensor->storage().is_alias_of(dst.storage()) ? forms::Operand{} : read_rounded(*tensor));
  const auto result = forms::update(dst);
  PointwiseLoop loop;
  set_destination(loop, result);
  for (size_t i = 0; i < src.size(); ++i) {
    if (operands[i].data == nullptr && !is_cpu_scalar(*src[i]))
      operands[i] = {result.data, result.layout, {}, result.pin}; // what is read is what is written
    add_source(loop, *src[i], operands[i]);
  }
  loop.run(call);
  return true;
}

} // namespace detail

} // namespace ipex::ops
