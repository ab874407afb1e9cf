// The parts of torch.nn.SyncBatchNorm, which PyTorch has for GPUs only: sums of operators that the device has.
//
//   batch_norm_stats                      mean and 1 / sqrt(var + eps) of each channel of this process's batch
//   batch_norm_gather_stats_with_counts   the same of all processes together, and the running statistics
//   batch_norm_elemt                      (input - mean) * invstd * weight + bias
//   batch_norm_backward_reduce            sums over this process's batch, and the gradients of weight and bias
//   batch_norm_backward_elemt             gradient of the input from the sums of all processes
//
// input and gradients are [N, C, ...] of f32, f64, bf16 or f16; statistics are [C] of f32 (f64 for f64).
// source: S. Ioffe, C. Szegedy, "Batch Normalization", ICML 2015, section 3; variances of several sets are put together as
// in T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
#include <ATen/ATen.h>
#include <ATen/OpMathType.h>
#include <torch/library.h>

#include <numeric>

#include "core/check.h"

namespace ipex {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

void check_channels(const char* name, const Tensor& input) {
  IPEX_CHECK(
      input.dim() >= 2 && at::isFloatingType(input.scalar_type()),
      E103,
      name,
      "got ",
      input.scalar_type(),
      " of shape ",
      input.sizes(),
      "; accepted: a floating-point tensor [N, C, ...]");
}

at::ScalarType statistics_dtype(const Tensor& input) {
  return at::toOpMathType(input.scalar_type());
}

// All dimensions but that of the channels.
std::vector<int64_t> reduced(const Tensor& input) {
  std::vector<int64_t> dims(static_cast<size_t>(input.dim()) - 1);
  std::iota(dims.begin() + 1, dims.end(), 2);
  return dims;
}

// [C] as [C, 1, ...], which broadcasts to `input`.
Tensor per_channel(const Tensor& values, const Tensor& input) {
  std::vector<int64_t> sizes(static_cast<size_t>(input.dim()) - 1, 1);
  sizes[0] = values.numel();
  return values.to(statistics_dtype(input)).view(sizes);
}

Tensor centred(const Tensor& input, const Tensor& mean) {
  return input.to(statistics_dtype(input)) - per_channel(mean, input);
}

std::tuple<Tensor, Tensor> batch_norm_stats(const Tensor& input, double eps) {
  check_channels("batch_norm_stats", input);
  const auto [var, mean] =
      at::var_mean(input.to(statistics_dtype(input)), reduced(input), /*correction=*/0, /*keepdim=*/false);
  return {mean, at::rsqrt(var + eps)};
}

// mean, invstd: [processes, C]; counts: [processes].
std::tuple<Tensor, Tensor> batch_norm_gather_stats_with_counts(
    const Tensor& input,
    const Tensor& mean,
    const Tensor& invstd,
    const OptionalTensor& running_mean,
    const OptionalTensor& running_var,
    double momentum,
    double eps,
    const Tensor& counts) {
  constexpr const char* kName = "batch_norm_gather_stats_with_counts";
  IPEX_CHECK(
      mean.dim() == 2 && invstd.sizes() == mean.sizes() && counts.numel() == mean.size(0),
      E103,
      kName,
      "got mean ",
      mean.sizes(),
      ", invstd ",
      invstd.sizes(),
      ", counts ",
      counts.sizes(),
      "; accepted: [P, C], [P, C], [P]");
  const auto dtype = statistics_dtype(input);
  const Tensor weight = counts.to(dtype).view({-1, 1});
  const Tensor all = weight.sum();
  const Tensor means = mean.to(dtype);
  const Tensor total_mean = (means * weight).sum(0) / all;
  const Tensor variances = invstd.to(dtype).pow(-2) - eps;
  const Tensor squares = ((variances + (means - total_mean).square()) * weight).sum(0);
  if (running_mean && running_mean->defined())
    running_mean->mul_(1 - momentum).add_(total_mean.to(running_mean->scalar_type()), momentum);
  if (running_var && running_var->defined())
    running_var->mul_(1 - momentum).add_((squares / (all - 1)).to(running_var->scalar_type()), momentum);
  return {total_mean, at::rsqrt(squares / all + eps)};
}

Tensor batch_norm_elemt(
    const Tensor& input,
    const OptionalTensor& weight,
    const OptionalTensor& bias,
    const Tensor& mean,
    const Tensor& invstd,
    double) {
  check_channels("batch_norm_elemt", input);
  // Batch norm with known statistics; invstd has eps in it.
  const auto result =
      at::native_batch_norm(input, weight, bias, mean, invstd.pow(-2), /*training=*/false, /*momentum=*/0, /*eps=*/0);
  return std::get<0>(result);
}

std::tuple<Tensor, Tensor, Tensor, Tensor> batch_norm_backward_reduce(
    const Tensor& grad_out,
    const Tensor& input,
    const Tensor& mean,
    const Tensor& invstd,
    const OptionalTensor& weight,
    bool needs_input,
    bool needs_weight,
    bool needs_bias) {
  check_channels("batch_norm_backward_reduce", input);
  const auto dtype = statistics_dtype(input);
  const Tensor grad = grad_out.to(dtype);
  const Tensor sum = grad.sum(reduced(input));
  const Tensor product = (grad * centred(input, mean)).sum(reduced(input));
  const auto parameter_dtype = weight && weight->defined() ? weight->scalar_type() : dtype;
  return {
      needs_input ? sum : Tensor(),
      needs_input ? product : Tensor(),
      needs_weight ? (product * invstd).to(parameter_dtype) : Tensor(),
      needs_bias ? sum.to(parameter_dtype) : Tensor()};
}

// sum_dy, sum_dy_xmu: [C], of all processes; count: their numbers of values per channel.
Tensor batch_norm_backward_elemt(
    const Tensor& grad_out,
    const Tensor& input,
    const Tensor& mean,
    const Tensor& invstd,
    const OptionalTensor& weight,
    const Tensor& sum_dy,
    const Tensor& sum_dy_xmu,
    const Tensor& count) {
  check_channels("batch_norm_backward_elemt", input);
  const auto dtype = statistics_dtype(input);
  const Tensor all = count.sum().to(dtype);
  const Tensor scale = weight && weight->defined() ? invstd * *weight : invstd;
  const Tensor slope = per_channel(invstd.square() * sum_dy_xmu / all, input);
  const Tensor grad = grad_out.to(dtype) - per_channel(sum_dy / all, input) - centred(input, mean) * slope;
  return (grad * per_channel(scale, input)).to(grad_out.scalar_type());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("batch_norm_stats", &batch_norm_stats);
  library.impl("batch_norm_gather_stats_with_counts", &batch_norm_gather_stats_with_counts);
  library.impl("batch_norm_elemt", &batch_norm_elemt);
  library.impl("batch_norm_backward_reduce", &batch_norm_backward_reduce);
  library.impl("batch_norm_backward_elemt", &batch_norm_backward_elemt);
}

} // namespace

} // namespace ipex
