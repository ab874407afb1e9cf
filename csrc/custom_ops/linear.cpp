// linear(input, weight)[..., o] = post_op(bias[o] + sum over i of input[..., i] * weight[o, i] + other[..., o])
//
//   input   [..., I], any strides; any dtype of at::linear, native in f32 and bf16
//   weight  [O, I], same dtype, or f32 that is rounded to the dtype of input; without gradients a packed copy is kept
//           (resident.h). Under autocast so it is: weights are not converted over and over.
//   other   of a shape that broadcasts to the result
//   result  [..., O], contiguous
//   errors  E102, E103 for an unknown post_op, RuntimeError as at::linear
#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "custom_ops/call.h"
#include "custom_ops/gradients.h"
#include "custom_ops/post_op.h"

namespace ipex::custom_ops {

namespace {

using OptionalTensor = std::optional<at::Tensor>;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* kName = "torch_ipex::linear";

at::Tensor linear(
    const at::Tensor& input,
    const at::Tensor& weight,
    const OptionalTensor& bias,
    const OptionalTensor& other,
    std::string_view post_op) {
  const at::Tensor sum = defined(other);
  const Call call(kName, {input, weight, defined(bias), sum});
  at::Tensor dst = at::linear(call.read(input), call.weight(weight, input), call.bias(bias, input));
  apply(kName, dst, call.read(sum), post_op);
  return call.result(std::move(dst), at::MemoryFormat::Contiguous);
}

// In the dtype that a linear layer without kernels of ours wants.
OptionalTensor like(const OptionalTensor& bias, const at::Tensor& input) {
  return bias && bias->defined() ? OptionalTensor(bias->to(input.scalar_type())) : std::nullopt;
}

at::Tensor linear_meta(
    const at::Tensor& input,
    const at::Tensor& weight,
    const OptionalTensor& bias,
    const OptionalTensor& other,
    std::string_view post_op) {
  at::Tensor dst = at::linear(input, weight.to(weight_dtype(weight, input)), like(bias, input));
  apply(kName, dst, defined(other), post_op);
  return at::empty_symint(dst.sym_sizes(), dst.options());
}

at::Tensor call_linear(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow(kName, "")
          .typed<at::Tensor(
              const at::Tensor&, const at::Tensor&, const OptionalTensor&, const OptionalTensor&, std::string_view)>();
  return op.call(input, weight, bias, std::nullopt, "");
}

at::Tensor call_product(const at::Tensor& left, const at::Tensor& right, const OptionalTensor& bias = std::nullopt) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("torch_ipex::product", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&, const OptionalTensor&)>();
  return op.call(left, right, bias);
}

// All dimensions but the last as rows, and back with as many rows as `like`.
at::Tensor rows(const at::Tensor& tensor) {
  if (tensor.dim() == 2)
    return tensor;
  const auto sizes = tensor.sym_sizes();
  return tensor.reshape_symint({c10::multiply_integers(sizes.slice(0, sizes.size() - 1)), sizes.back()});
}

at::Tensor with_rows_of(const at::Tensor& made, const at::Tensor& like) {
  if (like.dim() == 2)
    return made;
  c10::SymDimVector sizes(like.sym_sizes());
  sizes.back() = made.sym_size(-1);
  return made.view_symint(sizes);
}

// input x weight^T + bias with weights that somebody trains: a packed copy would serve one product. Weights in float32 of
// input in less are rounded while they are packed, so they are packed.
at::Tensor multiplied(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias, bool trained) {
  const auto dtype = input.scalar_type();
  const bool has_bias = bias && bias->defined();
  const bool alike = weight.scalar_type() == dtype && (!has_bias || bias->scalar_type() == dtype);
  if (!trained || !alike || input.dim() == 0 || weight.dim() != 2 || (has_bias && bias->dim() != 1))
    return call_linear(input, weight, bias);
  return with_rows_of(call_product(rows(input), weight.t(), bias), input);
}

// Its gradients are products too, so they have gradients.
class Linear final : public torch::autograd::Function<Linear> {
 public:
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& input,
      const at::Tensor& weight,
      const OptionalTensor& bias) {
    const at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward(
        {weight.requires_grad() ? input : at::Tensor(), input.requires_grad() ? weight : at::Tensor()});
    context->saved_data["weight_dtype"] = static_cast<int64_t>(weight.scalar_type());
    if (bias && bias->defined())
      context->saved_data["bias_dtype"] = static_cast<int64_t>(bias->scalar_type());
    return multiplied(input, weight, bias, weight.requires_grad());
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &input = saved[0], &weight = saved[1], &grad = grads[0];
    const auto dtype = [&](const char* name) { return static_cast<at::ScalarType>(context->saved_data[name].toInt()); };
    variable_list result(3);
    if (!grad.defined())
      return result;
    if (context->needs_input_grad(0))
      result[0] = multiplied(grad, weight.t(), std::nullopt, context->needs_input_grad(1));
    if (context->needs_input_grad(1))
      result[1] = call_product(rows(grad).t(), rows(input)).to(dtype("weight_dtype"));
    if (context->saved_data["bias_dtype"].isInt() && context->needs_input_grad(2))
      result[2] = rows(grad).sum(0, /*keepdim=*/false, dtype("bias_dtype"));
    return result;
  }
};

at::Tensor linear_autograd(
    c10::DispatchKeySet keys,
    const at::Tensor& input,
    const at::Tensor& weight,
    const OptionalTensor& bias,
    const OptionalTensor& other,
    std::string_view post_op) {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(kName, "").typed<decltype(linear)>();
  check_devices(kName, {input, weight, defined(bias), defined(other)});
  if (weight.dim() == 1 || has_tangent(input) || has_tangent(weight) || has_tangent(bias) || has_tangent(other))
    return applied(
        kName, at::linear(input, weight.to(weight_dtype(weight, input)), like(bias, input)), defined(other), post_op);
  if (!needs_gradients({&input, &weight}, {&bias, &other}))
    return op.redispatch(keys & c10::after_autograd_keyset, input, weight, bias, other, post_op);
  return applied(kName, Linear::apply(input, weight, bias), defined(other), post_op);
}

at::Tensor linear_autocast(
    const at::Tensor& input,
    const at::Tensor& weight,
    const OptionalTensor& bias,
    const OptionalTensor& other,
    std::string_view post_op) {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(kName, "").typed<decltype(linear)>();
  const Lowered lowered(input);
  return op.call(lowered(input), weight, bias, lowered(other), post_op);
}

} // namespace

IPEX_IMPLEMENT("linear", linear, linear_meta, linear_autograd, linear_autocast)

} // namespace ipex::custom_ops
