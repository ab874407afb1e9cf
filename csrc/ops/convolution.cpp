// convolution(src, weights)[n, o, p] = bias[o] + sum over i, k of weights[o, i, k] * src[n, i, stride p + dilation k -
// padding], per group; the transposed one is the gradient of that with respect to src.
//
//   schema  aten::convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[]
//           dilation, bool transposed, SymInt[] output_padding, SymInt groups) -> Tensor
//   src     [N, C, L], [N, C, H, W] or [N, C, D, H, W], any strides; f32, bf16
//   weights [O, C/groups, ...] or, transposed, [C, O/groups, ...], same dtype; kept packed on the storage
//   bias    [O], f32 or same dtype, or absent
//   dst     strides as stock PyTorch gives them; lies in channels-last order
//   else    CPU fallback: other dtypes, no elements, shapes or parameters that do not fit
//   errors  RuntimeError when shapes or parameters do not fit
//   source  oneDNN developer guide, "Convolution" and "Deconvolution"
#include "aten/fallback.h"
#include "forms/operand.h"
#include "forms/packed.h"
#include "forms/storage.h"
#include "fusion/fused_run.h"
#include "ops/bias.h"
#include "ops/convolution_geometry.h"
#include "ops/kernels.h"
#include "ops/quantized_convolution.h"

namespace ipex::ops {

namespace {

// A convolution that is to be run later.
class OpenConvolution final : public fusion::Base {
 public:
  OpenConvolution(
      const onednn::Convolution& spec,
      std::shared_ptr<const onednn::Primitive> kernel,
      fusion::Held src,
      forms::PackedWeights weights,
      fusion::HeldBias bias)
      : spec_(spec),
        kernel_(std::move(kernel)),
        src_(std::move(src)),
        weights_(std::move(weights)),
        bias_(std::move(bias)) {}

  const char* name() const override {
    return onednn::Convolution::kName;
  }

  Done run(void* dst, c10::ArrayRef<const fusion::PostOp*> steps) const override {
    int64_t products = 1; // of one sum
    for (int dim = spec_.weights.rank - spec_.geometry.spatial - 1; dim < spec_.weights.rank; ++dim)
      products *= spec_.weights.sizes[dim];
    const onednn::Argument operands[] = {
        {DNNL_ARG_SRC, src_.operand.data},
        {DNNL_ARG_WEIGHTS, weights_.data},
        {DNNL_ARG_BIAS, bias_.data()},
        {DNNL_ARG_DST, dst}};
    const float largest = fusion::largest_magnitude(weights_, spec_.weights.dtype);
    const double bound = fusion::bound_of_sums(src_, largest, products, bias_, fusion::needs_bound(steps));
    return fusion::run_fused(spec_, kernel_, operands, steps, bound);
  }

 private:
  const onednn::Convolution spec_;
  const std::shared_ptr<const onednn::Primitive> kernel_;
  const fusion::Held src_;
  const forms::PackedWeights weights_;
  const fusion::HeldBias bias_;
};

bool bias_fits(const ConvolutionCall& call, const std::optional<at::Tensor>& bias, const at::Tensor& input) {
  return !bias || !bias->defined() ||
      (bias->dim() == 1 && bias->size(0) == call.dst_sizes[1] && takes_bias(*bias, input));
}

} // namespace

at::Tensor convolution(
    const at::Tensor& input,
    const at::Tensor& weight,
    const std::optional<at::Tensor>& bias,
    c10::IntArrayRef stride,
    c10::IntArrayRef padding,
    c10::IntArrayRef dilation,
    bool transposed,
    c10::IntArrayRef output_padding,
    int64_t groups) {
  const bool has_bias = bias && bias->defined();
  auto call = convolution_call(input, weight, {stride, padding, dilation, transposed, output_padding, groups});
  std::shared_ptr<const onednn::Primitive> kernel;
  if (const int8::Turn* turn = int8::turn(); turn != nullptr && call && bias_fits(*call, bias, input))
    if (at::Tensor dst = quantized_convolution(*turn, *call, input, weight, bias); dst.defined())
      return dst;
  if (call && bias_fits(*call, bias, input)) {
    call->spec.bias = bias_of(bias, weight);
    kernel = onednn::find(call->spec);
  }
  if (!kernel)
    return fallback<at::_ops::convolution>(
        input, weight, bias_for_cpu(bias, weight), stride, padding, dilation, transposed, output_padding, groups);

  const auto src = forms::read_as(input, call->spec.src.strides_ref());
  const auto weights = forms::pack(weight, call->weights, kernel->weights());
  const auto shift = has_bias ? bias->contiguous() : at::Tensor();
  const auto strides = call->strides(call->dst_sizes);
  // A packed copy stays as it is when somebody writes the weights.
  if (weights.buffer && fusion::may_open({&input, &weight, &shift})) {
    if (auto held = fusion::hold(input, src)) {
      auto values = has_bias ? fusion::HeldBias(forms::read(shift)) : fusion::HeldBias();
      const auto base = std::make_shared<OpenConvolution>(call->spec, kernel, *held, weights, std::move(values));
      return fusion::open(base, *held, call->dst_sizes, strides, call->spec.dst.strides_ref());
    }
  }
  auto dst = forms::make_result(call->dst_sizes, strides, call->spec.dst.strides_ref(), input.options());
  kernel->run(
      {{DNNL_ARG_SRC, src.data},
       {DNNL_ARG_WEIGHTS, weights.data},
       {DNNL_ARG_BIAS, has_bias ? read_bytes(shift) : nullptr},
       {DNNL_ARG_DST, dst.data}});
  return dst.tensor;
}

} // namespace ipex::ops
