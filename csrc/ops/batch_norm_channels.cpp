// Batch normalisation forward over channels-last values.
#include "ops/batch_norm_channels.h"

#include <ATen/ops/empty.h>

#include <cmath>
#include <limits>

#include "forms/narrow.h"
#include "forms/operand.h"
#include "forms/quantized.h"
#include "forms/storage.h"
#include "fusion/open_primitive.h"
#include "ops/convert.h"

namespace ipex::ops {

namespace {

bool are_parameters(const BatchNormArguments& arguments, c10::ScalarType dtype, bool all_may_be_absent) {
  bool any = all_may_be_absent;
  for (const at::Tensor* tensor :
       {&arguments.weight, &arguments.bias, &arguments.running_mean, &arguments.running_var}) {
    if (!tensor->defined())
      continue;
    any = true;
    if (tensor->scalar_type() != dtype || tensor->layout() != at::kStrided || tensor->dim() != 1 ||
        tensor->numel() != arguments.src.size(1) || !tensor->is_contiguous())
      return false;
  }
  return any;
}

bool is_source(const at::Tensor& src, c10::ScalarType dtype) {
  return is_plain_float(src) && src.scalar_type() == dtype && src.dim() >= 2 && src.dim() <= 5 && src.numel() != 0;
}

// The same with float32 parameters.
BatchNormArguments widened(const BatchNormArguments& arguments) {
  const auto wide = [](const at::Tensor& tensor) {
    return tensor.defined() && tensor.scalar_type() == at::kBFloat16 ? forms::wide_copy(tensor) : tensor;
  };
  return {
      arguments.src,
      wide(arguments.weight),
      wide(arguments.bias),
      wide(arguments.running_mean),
      wide(arguments.running_var)};
}

const float* values(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<const float*>(read_bytes(tensor)) : nullptr;
}

// The inverse standard deviation; a channel of equal values with epsilon 0 gives 0.
float inverse_deviation(double variance, double eps) {
  return variance != 0 || eps != 0 ? static_cast<float>(1 / std::sqrt(variance + eps)) : 0;
}

void update_running(const at::Tensor& running, double momentum, const std::vector<double>& values) {
  if (!running.defined())
    return;
  auto* to = static_cast<float*>(write_bytes(running));
  for (size_t i = 0; i < values.size(); ++i)
    to[i] = static_cast<float>(momentum * values[i] + (1 - momentum) * to[i]);
}

// The scale and shift of each channel, given its mean and inverse deviation.
fusion::ScaleShift scale_and_shift(const BatchNormArguments& arguments, const float* mean, std::vector<float> invstd) {
  const float *weight = values(arguments.weight), *bias = values(arguments.bias);
  fusion::ScaleShift made{std::move(invstd), std::vector<float>(arguments.src.size(1))};
  for (size_t c = 0; c < made.shift.size(); ++c) {
    made.scale[c] *= weight ? weight[c] : 1;
    made.shift[c] = (bias ? bias[c] : 0) - mean[c] * made.scale[c];
  }
  return made;
}

// Those of training. Writes mean and inverse deviation over the batch; the running statistics move towards them.
fusion::ScaleShift batch_statistics(
    const BatchNormArguments& arguments,
    const float* src,
    ChannelRows shape,
    double momentum,
    double eps,
    const at::Tensor& batch_mean,
    const at::Tensor& batch_invstd) {
  auto* const mean = static_cast<float*>(write_bytes(batch_mean));
  auto* const invstd = static_cast<float*>(write_bytes(batch_invstd));
  auto moments = channel_moments(src, shape);
  const auto count = static_cast<double>(shape.rows);
  for (int64_t c = 0; c < shape.channels; ++c) {
    // float32 in between, as in stock PyTorch: a variance that overflows there is infinite here.
    const double squares = static_cast<float>(moments.squares[c]);
    mean[c] = static_cast<float>(moments.sum[c] / count);
    invstd[c] = inverse_deviation(squares / count, eps);
    moments.sum[c] = mean[c];
    moments.squares[c] = squares / (count - 1);
  }
  update_running(arguments.running_mean, momentum, moments.sum);
  update_running(arguments.running_var, momentum, moments.squares);
  return scale_and_shift(arguments, mean, {invstd, invstd + shape.channels});
}

// Those of evaluation.
fusion::ScaleShift known_statistics(const BatchNormArguments& arguments, double eps) {
  const float* variance = values(arguments.running_var);
  std::vector<float> invstd(arguments.src.size(1));
  for (size_t c = 0; c < invstd.size(); ++c)
    invstd[c] = 1 / std::sqrt(variance[c] + static_cast<float>(eps));
  return scale_and_shift(arguments, values(arguments.running_mean), std::move(invstd));
}

// Evaluation as a post-op of `src`, if that is open.
at::Tensor extend(const at::Tensor& src, const std::shared_ptr<const fusion::ScaleShift>& channels) {
  const auto layout = fusion::open_layout(src);
  if (!layout || !forms::same_order(src.sizes(), layout->strides_ref(), forms::channels_last_strides(src.sizes())))
    return {};
  return fusion::extend(src, fusion::PostOp::scale_shift(channels), batch_norm_strides(src));
}

// Evaluation to be run later, in one pass with what follows.
class OpenBatchNorm final : public fusion::Base {
 public:
  OpenBatchNorm(fusion::Held src, std::shared_ptr<const fusion::ScaleShift> channels)
      : src_(std::move(src)),
        self_(fusion::PostOp::scale_shift(std::move(channels))) {}

  const char* name() const override {
    return self_.name;
  }

  bool may_repeat() const override {
    return true;
  }

  Done run(void* dst, c10::ArrayRef<const fusion::PostOp*> steps) const override {
    onednn::Layout layout = src_.operand.layout;
    if (forms::is_byte(layout.dtype))
      layout.dtype = dnnl::memory::data_type::f32;
    fusion::apply(with_self(steps), src_.operand, dst, layout);
    return {steps.size(), std::numeric_limits<double>::infinity()};
  }

  std::optional<Done> run_quantized(
      void* dst,
      const forms::Quantization& as,
      c10::ArrayRef<const fusion::PostOp*> steps) const override {
    onednn::Layout layout = src_.operand.layout;
    layout.dtype = as.dtype;
    fusion::apply(with_self(steps), src_.operand, dst, layout, as.scale);
    return Done{steps.size(), as.bound()};
  }

 private:
  std::vector<const fusion::PostOp*> with_self(c10::ArrayRef<const fusion::PostOp*> steps) const {
    std::vector<const fusion::PostOp*> all{&self_};
    all.insert(all.end(), steps.begin(), steps.end());
    return all;
  }

  const fusion::Held src_;
  const fusion::PostOp self_;
};

at::Tensor open(
    const BatchNormArguments& arguments,
    forms::Operand src,
    std::shared_ptr<const fusion::ScaleShift> channels) {
  const at::Tensor& self = arguments.src;
  if (!fusion::may_open({&self, &arguments.weight, &arguments.bias}))
    return {};
  const auto held = fusion::hold(self, std::move(src), /*may_copy=*/false);
  if (!held)
    return {};
  const c10::DimVector order(held->operand.strides());
  const auto base = std::make_shared<OpenBatchNorm>(*held, std::move(channels));
  return fusion::open(base, *held, self.sizes(), batch_norm_strides(self), order);
}

} // namespace

bool batch_norm_fits(const BatchNormArguments& arguments) {
  return is_source(arguments.src, at::kFloat) && are_parameters(arguments, at::kFloat, /*all_may_be_absent=*/true);
}

bool batch_norm_forward_fits(const BatchNormArguments& arguments, bool training) {
  if (!is_source(arguments.src, at::kBFloat16))
    return batch_norm_fits(arguments);
  return are_parameters(arguments, at::kFloat, /*all_may_be_absent=*/false) ||
      (!training && are_parameters(arguments, at::kBFloat16, /*all_may_be_absent=*/false));
}

c10::DimVector batch_norm_strides(const at::Tensor& src) {
  return src.suggest_memory_format() == at::MemoryFormat::Contiguous ? forms::row_major_strides(src.sizes())
                                                                     : forms::channels_last_strides(src.sizes());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> run_batch_norm(
    const BatchNormArguments& given,
    bool training,
    double momentum,
    double eps) {
  const at::Tensor& self = given.src;
  const BatchNormArguments arguments = widened(given);
  const int64_t channels = self.size(1);
  auto options = self.options(); // of the statistics: those of the parameters
  for (const at::Tensor* tensor : {&given.weight, &given.bias, &given.running_mean})
    if (tensor->defined())
      options = tensor->options();
  const at::Tensor mean = at::empty({training ? channels : 0}, options);
  const at::Tensor invstd = at::empty({training ? channels : 0}, options);
  const auto order = forms::channels_last_strides(self.sizes());
  const auto strides = batch_norm_strides(self);
  if (!training) {
    const auto factors = std::make_shared<fusion::ScaleShift>(known_statistics(arguments, eps));
    if (auto dst = extend(self, factors); dst.defined())
      return {std::move(dst), mean, invstd};
    const auto src = forms::ordered(forms::read_held(self), order);
    if (auto dst = open(arguments, src, factors); dst.defined())
      return {std::move(dst), mean, invstd};
    const auto dst = forms::make_result(self.sizes(), strides, order, self.options());
    const auto step = fusion::PostOp::scale_shift(factors);
    fusion::apply({&step}, src, dst.data, dst.layout);
    return {dst.tensor, mean, invstd};
  }
  // The statistics read the values twice more: bfloat16 ones are converted once.
  const at::Tensor wide = self.scalar_type() == at::kBFloat16 ? forms::wide_copy(self) : self;
  const auto src = forms::read_as(wide, order);
  const auto* from = static_cast<const float*>(src.data);
  const ChannelRows shape{self.numel() / channels, channels};
  const auto factors =
      std::make_shared<fusion::ScaleShift>(batch_statistics(arguments, from, shape, momentum, eps, mean, invstd));
  const auto step = fusion::PostOp::scale_shift(factors);
  const auto dst = forms::make_result(self.sizes(), strides, order, self.options());
  fusion::apply({}, dst.data, dst.layout, [&](float* to, int64_t first, int64_t count, int64_t width) {
    step.run(from + first * width, to, first * width, count * width);
  });
  return {dst.tensor, mean, invstd};
}

} // namespace ipex::ops
