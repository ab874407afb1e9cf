// convolution(input, weight) = post_op(norm(at::convolution(input, weight, bias, ...)) + other)
//
//   input   [N, C, ...] or, unbatched, [C, ...]; any dtype of at::convolution, native in f32 and bf16
//   weight  as at::convolution, same dtype, or f32 that is rounded to the dtype of input; without gradients a packed copy is
//           kept (resident.h)
//   norm_*  of a batch norm with known statistics, or nothing
//   other   of a shape that broadcasts to the result
//   result  channels-last if input or weight is, contiguous otherwise
//   errors  E102, E103 for an unknown post_op, RuntimeError as at::convolution
#include "custom_ops/convolution.h"

#include <ATen/ATen.h>
#include <ATen/native/ConvUtils.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "core/check.h"
#include "custom_ops/call.h"
#include "custom_ops/gradients.h"
#include "custom_ops/post_op.h"

namespace ipex::custom_ops {

// What stock PyTorch gives: in float64 its own kernels, otherwise oneDNN's.
at::MemoryFormat format_of(const at::Tensor& input, const at::Tensor& weight) {
  if (weight.dim() < 4 || weight.dim() > 5)
    return at::MemoryFormat::Contiguous;
  const bool is_double = input.scalar_type() == at::kDouble;
  const auto is_last = [](const at::Tensor& tensor) {
    return tensor.suggest_memory_format() == at::MemoryFormat::ChannelsLast;
  };
  if (is_double ? !is_last(input) && !is_last(weight) : !at::native::mkldnn_conv_use_channels_last(input, weight))
    return at::MemoryFormat::Contiguous;
  return weight.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::ChannelsLast3d;
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* kName = Forward::kName;

at::Tensor product(
    const at::Tensor& input,
    const at::Tensor& weight,
    const OptionalTensor& bias,
    const Geometry& geometry) {
  const auto& [stride, padding, dilation, transposed, output_padding, groups] = geometry;
  return at::convolution_symint(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups);
}

at::Tensor normalized(at::Tensor dst, const Norm& norm) {
  const auto& [mean, var, weight, bias, eps] = norm;
  if (!mean || !mean->defined())
    return dst;
  IPEX_CHECK(var && var->defined(), E103, kName, "got norm_mean without norm_var; accepted: both, or none");
  return at::batch_norm(dst, weight, bias, mean, var, /*training=*/false, /*momentum=*/0, eps, /*cudnn_enabled=*/false);
}

// `implementation`, which gets one image as a batch of one.
template <auto implementation>
at::Tensor batched(const Forward& arguments) {
  const auto& [input, weight, bias, geometry, other, post_op, norm] = arguments;
  if (input.dim() + 1 != weight.dim())
    return implementation(arguments);
  const OptionalTensor sum = other && other->defined() ? OptionalTensor(other->unsqueeze(0)) : std::nullopt;
  return implementation({input.unsqueeze(0), weight, bias, geometry, sum, post_op, norm}).squeeze(0);
}

at::Tensor convolution(const Forward& arguments) {
  const auto& [input, weight, bias, geometry, other, post_op, norm] = arguments;
  const at::Tensor sum = defined(other);
  const Call call(
      kName,
      {input,
       weight,
       defined(bias),
       sum,
       defined(norm.mean),
       defined(norm.var),
       defined(norm.weight),
       defined(norm.bias)});
  at::Tensor dst = product(call.read(input), call.weight(weight, input), call.bias(bias, input), geometry);
  dst = normalized(
      std::move(dst),
      {call.read(norm.mean), call.read(norm.var), call.read(norm.weight), call.read(norm.bias), norm.eps});
  apply(kName, dst, call.read(sum), post_op);
  return call.result(std::move(dst), format_of(input, weight));
}

at::Tensor convolution_meta(const Forward& arguments) {
  const auto& [input, weight, bias, geometry, other, post_op, norm] = arguments;
  const OptionalTensor shift = bias && bias->defined() ? OptionalTensor(bias->to(input.scalar_type())) : std::nullopt;
  at::Tensor dst = product(input, weight.to(weight_dtype(weight, input)), shift, geometry);
  normalized(dst, norm);
  apply(kName, dst, defined(other), post_op);
  return at::empty_symint(dst.sym_sizes(), dst.options(), format_of(input, weight));
}

class Convolution final : public torch::autograd::Function<Convolution> {
 public:
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& input,
      const at::Tensor& weight,
      const OptionalTensor& bias,
      const Geometry& geometry) {
    const at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({input, weight});
    auto& data = context->saved_data;
    if (bias && bias->defined())
      data["bias_dtype"] = static_cast<int64_t>(bias->scalar_type());
    data["stride"] = geometry.stride;
    data["padding"] = geometry.padding;
    data["dilation"] = geometry.dilation;
    data["transposed"] = geometry.transposed;
    data["output_padding"] = geometry.output_padding;
    data["groups"] = geometry.groups;
    const OptionalTensor none;
    return Operator<Forward>::call({input, weight, bias, geometry, none, "", {none, none, none, none, 0}});
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    variable_list result(4);
    if (!grads[0].defined())
      return result;
    const variable_list saved = context->get_saved_variables();
    auto& data = context->saved_data;
    const auto bias_dtype = data["bias_dtype"];
    const auto numbers = [&](const char* name) { return data[name].toSymIntVector(); };
    const auto stride = numbers("stride"), padding = numbers("padding"), dilation = numbers("dilation"),
               output_padding = numbers("output_padding");
    std::tie(result[0], result[1], result[2]) = Operator<Backward>::call(
        {grads[0],
         saved[0],
         saved[1],
         {stride, padding, dilation, data["transposed"].toBool(), output_padding, data["groups"].toSymInt()},
         {context->needs_input_grad(0),
          context->needs_input_grad(1),
          bias_dtype.isInt() && context->needs_input_grad(2)}});
    if (result[1].defined())
      result[1] = result[1].to(saved[1].scalar_type());
    if (result[2].defined())
      result[2] = result[2].to(static_cast<at::ScalarType>(bias_dtype.toInt()));
    return result;
  }
};

bool has_tangents(const Forward& arguments) {
  const auto& [input, weight, bias, geometry, other, post_op, norm] = arguments;
  return has_tangent(input) || has_tangent(weight) || has_tangent(bias) || has_tangent(other);
}

at::Tensor differentiable(const Forward& arguments) {
  const auto& [input, weight, bias, geometry, other, post_op, norm] = arguments;
  at::Tensor dst = has_tangents(arguments) ? product(input, weight, bias, geometry)
                                           : Convolution::apply(input, weight, bias, geometry);
  return applied(kName, normalized(std::move(dst), norm), defined(other), post_op);
}

at::Tensor convolution_autograd(c10::DispatchKeySet keys, const Forward& arguments) {
  const auto& [input, weight, bias, geometry, other, post_op, norm] = arguments;
  check_devices(kName, {input, weight, defined(bias), defined(other)});
  if (has_tangents(arguments) || needs_gradients({&input, &weight}, {&bias, &other, &norm.weight, &norm.bias}))
    return batched<differentiable>(arguments);
  return Operator<Forward>::call(arguments, keys & c10::after_autograd_keyset);
}

at::Tensor convolution_autocast(const Forward& arguments) {
  const auto& [input, weight, bias, geometry, other, post_op, norm] = arguments;
  const Lowered lowered(input);
  return Operator<Forward>::call({lowered(input), weight, bias, geometry, lowered(other), post_op, norm});
}

} // namespace

IPEX_IMPLEMENT(
    "convolution",
    Operator<Forward>::kernel<batched<convolution>>,
    Operator<Forward>::kernel<batched<convolution_meta>>,
    Operator<Forward>::kernel_with_keys<convolution_autograd>,
    Operator<Forward>::kernel<convolution_autocast>)

} // namespace ipex::custom_ops
