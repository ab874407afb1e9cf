// cat(tensors)[..., offset_i + j, ...] = tensors[i][..., j, ...] along `dim`, offset_i being the sizes before.
//
//   schema  aten::cat(Tensor[] tensors, int dim=0) -> Tensor
//   schema  aten::cat.out(Tensor[] tensors, int dim=0, *, Tensor(a!) out) -> Tensor(a!)
//   src     any strides, one dtype; f32, bf16, f16
//   dst     strides as stock PyTorch gives them; lies as the first tensor does; channels are left open for what follows
//   else    CPU fallback: mixed and other dtypes, tensors without elements, scalars, out= of another size or that
//           overlaps
//   errors  RuntimeError when sizes differ in another dimension than `dim`
#include <ATen/MemoryOverlap.h>

#include <algorithm>
#include <limits>

#include "aten/fallback.h"
#include "aten/on_device.h"
#include "forms/operand.h"
#include "forms/order.h"
#include "forms/quantized.h"
#include "fusion/open_primitive.h"
#include "int8/turn.h"
#include "onednn/engine.h"
#include "ops/convert.h"
#include "ops/kernels.h"
#include "ops/strided_copy.h"

namespace ipex::ops {

namespace {

struct Concatenation {
  c10::SmallVector<at::Tensor, 8> tensors;
  int64_t dim = 0;
  c10::DimVector sizes;
};

std::optional<Concatenation> concatenation(const at::ITensorListRef& list, int64_t dim) {
  Concatenation call;
  for (const at::Tensor& tensor : list)
    call.tensors.push_back(tensor);
  if (call.tensors.empty())
    return std::nullopt;
  const at::Tensor& first = call.tensors.front();
  const int64_t rank = first.dim();
  if (rank == 0 || dim < -rank || dim >= rank)
    return std::nullopt;
  call.dim = dim < 0 ? dim + rank : dim;
  call.sizes = c10::DimVector(first.sizes());
  call.sizes[call.dim] = 0;
  for (const at::Tensor& tensor : call.tensors) {
    if (!on_device(tensor) || !is_plain_float(tensor) || tensor.scalar_type() != first.scalar_type() ||
        tensor.dim() != rank || tensor.numel() == 0)
      return std::nullopt;
    for (int64_t other = 0; other < rank; ++other)
      if (other != call.dim && tensor.size(other) != first.size(other))
        return std::nullopt;
    call.sizes[call.dim] += tensor.size(call.dim);
  }
  return call;
}

// As stock PyTorch: channels-last when all tensors suggest it.
c10::DimVector result_strides(const Concatenation& call) {
  const auto format = call.tensors.front().suggest_memory_format();
  const bool agreed = std::all_of(call.tensors.begin(), call.tensors.end(), [&](const at::Tensor& tensor) {
    return tensor.suggest_memory_format() == format;
  });
  return agreed && format != at::MemoryFormat::Contiguous ? forms::channels_last_strides(call.sizes)
                                                          : forms::row_major_strides(call.sizes);
}

void fill(const Concatenation& call, c10::ArrayRef<forms::Operand> operands, const forms::Result& dst) {
  const auto itemsize = static_cast<int64_t>(dst.tensor.itemsize());
  const auto strides = dst.layout.strides_ref();
  auto* to = static_cast<char*>(dst.data);
  for (size_t i = 0; i < operands.size(); ++i) {
    const at::Tensor& tensor = call.tensors[i];
    StridedCopy{tensor.sizes(), operands[i].data, operands[i].strides(), to, strides, itemsize}.run();
    to += tensor.size(call.dim) * strides[call.dim] * itemsize;
  }
}

// Rows of channels, put together when somebody reads them, in one pass with what follows.
class OpenChannels final : public fusion::Base {
 public:
  OpenChannels(std::vector<fusion::Held> src, const onednn::Layout& dst) : src_(std::move(src)), dst_(dst) {}

  const char* name() const override {
    return "cat";
  }

  bool may_repeat() const override {
    return true;
  }

  Done run(void* dst, c10::ArrayRef<const fusion::PostOp*> steps) const override {
    fusion::apply(steps, dst, dst_, [&](float* to, int64_t first, int64_t count, int64_t width) {
      collect(to, first, count, width);
    });
    return {steps.size(), std::numeric_limits<double>::infinity()};
  }

  std::optional<Done> run_quantized(
      void* dst,
      const forms::Quantization& as,
      c10::ArrayRef<const fusion::PostOp*> steps) const override {
    onednn::Layout layout = dst_;
    layout.dtype = as.dtype;
    const auto fill = [&](float* to, int64_t first, int64_t count, int64_t width) { collect(to, first, count, width); };
    fusion::apply(steps, dst, layout, fill, as.scale);
    return Done{steps.size(), as.bound()};
  }

 private:
  // `count` rows of `width` channels, of all tensors.
  void collect(float* to, int64_t first, int64_t count, int64_t width) const {
    for (const fusion::Held& src : src_) {
      const int64_t channels = src.operand.layout.sizes[1];
      for (int64_t row = 0; row < count; ++row)
        fusion::to_float(src.operand, (first + row) * channels, to + row * width, channels);
      to += channels;
    }
  }

  const std::vector<fusion::Held> src_;
  const onednn::Layout dst_;
};

// The result as an open tensor; undefined when these are no rows of channels, or have to be read now.
at::Tensor open(const Concatenation& call, c10::ArrayRef<forms::Operand> operands, c10::IntArrayRef strides) {
  const auto order = forms::channels_last_strides(call.sizes);
  if (call.dim != 1 || call.sizes.size() < 3 || call.sizes.size() > 5)
    return {};
  std::vector<fusion::Held> held;
  for (size_t i = 0; i < operands.size(); ++i) {
    const at::Tensor& tensor = call.tensors[i];
    if (!fusion::may_open({&tensor}) ||
        !forms::same_order(tensor.sizes(), operands[i].strides(), forms::channels_last_strides(tensor.sizes())))
      return {};
    auto one = fusion::hold(tensor, operands[i], /*may_copy=*/false);
    if (!one)
      return {};
    held.push_back(std::move(*one));
  }
  auto layout = onednn::Layout::strided(operands.front().layout.dtype, call.sizes, order);
  if (forms::is_byte(layout.dtype))
    layout.dtype = dnnl::memory::data_type::f32;
  const auto base = std::make_shared<OpenChannels>(held, layout);
  return fusion::open(base, held, call.sizes, strides, order);
}

} // namespace

at::Tensor cat(const at::ITensorListRef& tensors, int64_t dim) {
  const auto call = concatenation(tensors, dim);
  if (!call)
    return fallback<at::_ops::cat>(tensors, dim);
  c10::SmallVector<forms::Operand, 8> operands;
  const forms::Operand* leader = nullptr;
  for (const at::Tensor& tensor : call->tensors)
    operands.push_back(int8::active() ? forms::read_due(tensor) : forms::read_held(tensor));
  for (size_t i = 0; i < operands.size() && leader == nullptr; ++i)
    if (!forms::same_order(call->tensors[i].sizes(), call->tensors[i].strides(), operands[i].strides()))
      leader = &operands[i];
  const auto strides = result_strides(*call);
  if (auto dst = open(*call, operands, strides); dst.defined())
    return dst;
  for (size_t i = 0; i < operands.size(); ++i)
    if (forms::is_byte(operands[i].layout.dtype))
      operands[i] = fusion::as_float(operands[i]);
  const bool reorders = leader != nullptr && onednn::supports(call->tensors.front().scalar_type());
  const auto dst = forms::make_result(
      call->sizes,
      strides,
      reorders ? forms::compact_strides(call->sizes, leader->strides()) : strides,
      call->tensors.front().options());
  fill(*call, operands, dst);
  return dst.tensor;
}

at::Tensor& cat_out(const at::ITensorListRef& tensors, int64_t dim, at::Tensor& out) {
  const auto call = concatenation(tensors, dim);
  const bool fits = call && on_device(out) && is_plain_float(out) && out.sizes() == c10::IntArrayRef(call->sizes) &&
      out.scalar_type() == call->tensors.front().scalar_type() && at::has_internal_overlap(out) == at::MemOverlap::No &&
      std::none_of(call->tensors.begin(), call->tensors.end(), [&](const at::Tensor& tensor) {
                      return tensor.storage().is_alias_of(out.storage());
                    });
  if (!fits)
    return fallback<at::_ops::cat_out>(tensors, dim, out);
  c10::SmallVector<forms::Operand, 8> operands;
  for (const at::Tensor& tensor : call->tensors)
    operands.push_back(forms::read(tensor));
  fill(*call, operands, forms::update(out));
  return out;
}

} // namespace ipex::ops
