// convolution(input, weight) = post_op(norm(at::convolution(input, weight, bias, ...)) + other)
//
//   input   [N, C, ...] or, unbatched, [C, ...]; any dtype of at::convolution, native in f32 and bf16
//   weight  as at::convolution, same dtype, or f32 that is rounded to the dtype of input; without gradients a packed copy is
//           kept (resident.h)
//   norm_*  of a batch norm with known statistics, or nothing
//   other   of a shape that broadcasts to the result
//   result  channels-last if input or weight is, contiguous otherwise
//   errors  E102, E103 for an unknown post_op, RuntimeError as at::convolution
#include <ATen/ATen.h>
#include <ATen/native/ConvUtils.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "core/check.h"
#include "custom_ops/call.h"
#include "custom_ops/gradients.h"
#include "custom_ops/post_op.h"

namespace ipex::custom_ops {

namespace {

using OptionalTensor = std::optional<at::Tensor>;
using SymInts = c10::SymIntArrayRef;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* kName = "torch_ipex::convolution";
constexpr const char* kBackwardName = "torch_ipex::convolution_backward";

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

at::Tensor normalized(
    const at::Tensor& dst,
    const OptionalTensor& mean,
    const OptionalTensor& var,
    const OptionalTensor& weight,
    const OptionalTensor& bias,
    double eps) {
  if (!mean || !mean->defined())
    return dst;
  IPEX_CHECK(var && var->defined(), E103, kName, "got norm_mean without norm_var; accepted: both, or none");
  return at::batch_norm(dst, weight, bias, mean, var, /*training=*/false, /*momentum=*/0, eps, /*cudnn_enabled=*/false);
}

at::Tensor convolution(
    const at::Tensor& input,
    const at::Tensor& weight,
    const OptionalTensor& bias,
    SymInts stride,
    SymInts padding,
    SymInts dilation,
    bool transposed,
    SymInts output_padding,
    c10::SymInt groups,
    const OptionalTensor& other,
    std::string_view post_op,
    const OptionalTensor& norm_mean,
    const OptionalTensor& norm_var,
    const OptionalTensor& norm_weight,
    const OptionalTensor& norm_bias,
    double norm_eps) {
  if (input.dim() + 1 == weight.dim()) // one image
    return convolution(
               input.unsqueeze(0),
               weight,
               bias,
               stride,
               padding,
               dilation,
               transposed,
               output_padding,
               std::move(groups),
               defined(other).defined() ? OptionalTensor(other->unsqueeze(0)) : std::nullopt,
               post_op,
               norm_mean,
               norm_var,
               norm_weight,
               norm_bias,
               norm_eps)
        .squeeze(0);
  const at::Tensor sum = defined(other);
  const Call call(
      kName,
      {input,
       weight,
       defined(bias),
       sum,
       defined(norm_mean),
       defined(norm_var),
       defined(norm_weight),
       defined(norm_bias)});
  at::Tensor dst = at::convolution_symint(
      call.read(input),
      call.weight(weight, input),
      call.bias(bias, input),
      stride,
      padding,
      dilation,
      transposed,
      output_padding,
      std::move(groups));
  dst = normalized(
      dst, call.read(norm_mean), call.read(norm_var), call.read(norm_weight), call.read(norm_bias), norm_eps);
  apply(kName, dst, call.read(sum), post_op);
  return call.result(std::move(dst), format_of(input, weight));
}

at::Tensor convolution_meta(
    const at::Tensor& input,
    const at::Tensor& weight,
    const OptionalTensor& bias,
    SymInts stride,
    SymInts padding,
    SymInts dilation,
    bool transposed,
    SymInts output_padding,
    c10::SymInt groups,
    const OptionalTensor& other,
    std::string_view post_op,
    const OptionalTensor& norm_mean,
    const OptionalTensor& norm_var,
    const OptionalTensor& norm_weight,
    const OptionalTensor& norm_bias,
    double norm_eps) {
  if (input.dim() + 1 == weight.dim()) // one image
    return convolution_meta(
               input.unsqueeze(0),
               weight,
               bias,
               stride,
               padding,
               dilation,
               transposed,
               output_padding,
               std::move(groups),
               defined(other).defined() ? OptionalTensor(other->unsqueeze(0)) : std::nullopt,
               post_op,
               norm_mean,
               norm_var,
               norm_weight,
               norm_bias,
               norm_eps)
        .squeeze(0);
  const OptionalTensor shift = bias && bias->defined() ? OptionalTensor(bias->to(input.scalar_type())) : std::nullopt;
  at::Tensor dst = at::convolution_symint(
      input,
      weight.to(weight_dtype(weight, input)),
      shift,
      stride,
      padding,
      dilation,
      transposed,
      output_padding,
      std::move(groups));
  normalized(dst, norm_mean, norm_var, norm_weight, norm_bias, norm_eps);
  apply(kName, dst, defined(other), post_op);
  return at::empty_symint(dst.sym_sizes(), dst.options(), format_of(input, weight));
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor& grad,
    const at::Tensor& input,
    const at::Tensor& weight,
    SymInts stride,
    SymInts padding,
    SymInts dilation,
    bool transposed,
    SymInts output_padding,
    c10::SymInt groups,
    std::array<bool, 3> mask) {
  const Call call(kBackwardName, {grad, input, weight});
  const std::vector<c10::SymInt> bias_sizes{grad.sym_size(1)};
  auto [diff_src, diff_weights, diff_bias] = at::convolution_backward_symint(
      call.read(grad),
      call.read(input),
      call.read(weight).to(weight_dtype(weight, input)),
      SymInts(bias_sizes),
      stride,
      padding,
      dilation,
      transposed,
      output_padding,
      std::move(groups),
      mask);
  const auto format = format_of(input, weight);
  const auto result = [&](bool wanted, at::Tensor& made, at::MemoryFormat as) {
    return wanted ? call.result(std::move(made), as) : at::Tensor();
  };
  return {
      result(mask[0], diff_src, format),
      result(mask[1], diff_weights, format),
      result(mask[2], diff_bias, at::MemoryFormat::Contiguous)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward_meta(
    const at::Tensor& grad,
    const at::Tensor& input,
    const at::Tensor& weight,
    SymInts,
    SymInts,
    SymInts,
    bool,
    SymInts,
    c10::SymInt,
    std::array<bool, 3> mask) {
  const auto format = format_of(input, weight);
  const auto like = [&](const at::Tensor& tensor) {
    return at::empty_symint(tensor.sym_sizes(), grad.options(), format);
  };
  return {
      mask[0] ? like(input) : at::Tensor(),
      mask[1] ? like(weight) : at::Tensor(),
      mask[2] ? at::empty_symint({grad.sym_size(1)}, grad.options()) : at::Tensor()};
}

const auto& forward_op() {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(kName, "").typed<decltype(convolution)>();
  return op;
}

const auto& backward_op() {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow(kBackwardName, "").typed<decltype(convolution_backward)>();
  return op;
}

class Convolution final : public torch::autograd::Function<Convolution> {
 public:
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& input,
      const at::Tensor& weight,
      const OptionalTensor& bias,
      SymInts stride,
      SymInts padding,
      SymInts dilation,
      bool transposed,
      SymInts output_padding,
      c10::SymInt groups) {
    const at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({input, weight});
    if (bias && bias->defined())
      context->saved_data["bias_dtype"] = static_cast<int64_t>(bias->scalar_type());
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["dilation"] = dilation;
    context->saved_data["transposed"] = transposed;
    context->saved_data["output_padding"] = output_padding;
    context->saved_data["groups"] = groups;
    return forward_op().call(
        input,
        weight,
        bias,
        stride,
        padding,
        dilation,
        transposed,
        output_padding,
        groups,
        std::nullopt,
        "",
        std::nullopt,
        std::nullopt,
        std::nullopt,
        std::nullopt,
        0);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    variable_list result(9);
    if (!grads[0].defined())
      return result;
    const variable_list saved = context->get_saved_variables();
    auto& data = context->saved_data;
    const auto bias_dtype = data["bias_dtype"];
    const auto numbers = [&](const char* name) { return data[name].toSymIntVector(); };
    const auto stride = numbers("stride"), padding = numbers("padding"), dilation = numbers("dilation"),
               output_padding = numbers("output_padding");
    const std::array<bool, 3> mask{
        context->needs_input_grad(0), context->needs_input_grad(1), bias_dtype.isInt() && context->needs_input_grad(2)};
    std::tie(result[0], result[1], result[2]) = backward_op().call(
        grads[0],
        saved[0],
        saved[1],
        stride,
        padding,
        dilation,
        data["transposed"].toBool(),
        output_padding,
        data["groups"].toSymInt(),
        mask);
    if (result[1].defined())
      result[1] = result[1].to(saved[1].scalar_type());
    if (result[2].defined())
      result[2] = result[2].to(static_cast<at::ScalarType>(bias_dtype.toInt()));
    return result;
  }
};

at::Tensor convolution_autograd(
    c10::DispatchKeySet keys,
    const at::Tensor& input,
    const at::Tensor& weight,
    const OptionalTensor& bias,
    SymInts stride,
    SymInts padding,
    SymInts dilation,
    bool transposed,
    SymInts output_padding,
    c10::SymInt groups,
    const OptionalTensor& other,
    std::string_view post_op,
    const OptionalTensor& norm_mean,
    const OptionalTensor& norm_var,
    const OptionalTensor& norm_weight,
    const OptionalTensor& norm_bias,
    double norm_eps) {
  check_devices(kName, {input, weight, defined(bias), defined(other)});
  const bool is_batched = input.dim() == weight.dim();
  const at::Tensor batch = is_batched ? input : input.unsqueeze(0);
  const OptionalTensor sum = is_batched || !other || !other->defined() ? other : OptionalTensor(other->unsqueeze(0));
  const auto finished = [&](const at::Tensor& product) {
    const at::Tensor dst = applied(
        kName, normalized(product, norm_mean, norm_var, norm_weight, norm_bias, norm_eps), defined(sum), post_op);
    return is_batched ? dst : dst.squeeze(0);
  };
  if (has_tangent(batch) || has_tangent(weight) || has_tangent(bias) || has_tangent(sum))
    return finished(
        at::convolution_symint(
            batch, weight, bias, stride, padding, dilation, transposed, output_padding, std::move(groups)));
  if (needs_gradients({&batch, &weight}, {&bias, &sum, &norm_weight, &norm_bias}))
    return finished(
        Convolution::apply(
            batch, weight, bias, stride, padding, dilation, transposed, output_padding, std::move(groups)));
  return forward_op().redispatch( // which adds the batch itself
      keys & c10::after_autograd_keyset,
      input,
      weight,
      bias,
      stride,
      padding,
      dilation,
      transposed,
      output_padding,
      std::move(groups),
      other,
      post_op,
      norm_mean,
      norm_var,
      norm_weight,
      norm_bias,
      norm_eps);
}

// Gradients of gradients are PyTorch's.
std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward_autograd(
    c10::DispatchKeySet keys,
    const at::Tensor& grad,
    const at::Tensor& input,
    const at::Tensor& weight,
    SymInts stride,
    SymInts padding,
    SymInts dilation,
    bool transposed,
    SymInts output_padding,
    c10::SymInt groups,
    std::array<bool, 3> mask) {
  const std::vector<c10::SymInt> bias_sizes{grad.sym_size(1)};
  if (needs_gradients({&grad, &input, &weight}))
    return at::convolution_backward_symint(
        grad,
        input,
        weight.to(weight_dtype(weight, input)),
        SymInts(bias_sizes),
        stride,
        padding,
        dilation,
        transposed,
        output_padding,
        std::move(groups),
        mask);
  return backward_op().redispatch(
      keys & c10::after_autograd_keyset,
      grad,
      input,
      weight,
      stride,
      padding,
      dilation,
      transposed,
      output_padding,
      std::move(groups),
      mask);
}

at::Tensor convolution_autocast(
    const at::Tensor& input,
    const at::Tensor& weight,
    const OptionalTensor& bias,
    SymInts stride,
    SymInts padding,
    SymInts dilation,
    bool transposed,
    SymInts output_padding,
    c10::SymInt groups,
    const OptionalTensor& other,
    std::string_view post_op,
    const OptionalTensor& norm_mean,
    const OptionalTensor& norm_var,
    const OptionalTensor& norm_weight,
    const OptionalTensor& norm_bias,
    double norm_eps) {
  const Lowered lowered(input);
  return forward_op().call(
      lowered(input),
      weight,
      bias,
      stride,
      padding,
      dilation,
      transposed,
      output_padding,
      std::move(groups),
      lowered(other),
      post_op,
      norm_mean,
      norm_var,
      norm_weight,
      norm_bias,
      norm_eps);
}

} // namespace

IPEX_IMPLEMENT("convolution", convolution, convolution_meta, convolution_autograd, convolution_autocast)
IPEX_IMPLEMENT_BELOW_AUTOCAST(
    "convolution_backward",
    convolution_backward,
    convolution_backward_meta,
    convolution_backward_autograd)

} // namespace ipex::custom_ops
