// layer_norm(src)[c] = (src[c] - mean) * rstd * weight[c] + bias[c], with mean and rstd = 1 / sqrt(variance + eps) over
// the dimensions of `normalized_shape`.
//
//   schema  aten::native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float
//           eps) -> (Tensor, Tensor, Tensor)
//   src     any strides; f32, bf16, f16
//   params  weight and bias, each f32 or of the dtype of src, both alike, or absent
//   dst     same shape, contiguous; mean and rstd with the normalised dimensions of size 1
//   else    CPU fallback: other dtypes, no elements, one channel, shapes that do not fit
//   errors  RuntimeError when a shape does not fit `normalized_shape`
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include "aten/fallback.h"
#include "core/profile.h"
#include "forms/operand.h"
#include "forms/storage.h"
#include "onednn/engine.h"
#include "ops/convert.h"
#include "ops/kernels.h"
#include "ops/layer_norm_rows.h"
#include "vec/rows.h"

namespace ipex::ops {

namespace {

// The statistics of a row in their dtype.
void keep(const at::Tensor& statistics, void* data, int64_t row, float value) {
  if (statistics.scalar_type() == at::kFloat)
    static_cast<float*>(data)[row] = value;
  else
    from_float(statistics.scalar_type(), &value, static_cast<uint16_t*>(data) + row, 1);
}

} // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> native_layer_norm(
    const at::Tensor& input,
    c10::IntArrayRef normalized_shape,
    const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias,
    double eps) {
  const auto rows = layer_norm_rows(input, normalized_shape);
  const bool alike = !is_given(weight) || !is_given(bias) || weight->scalar_type() == bias->scalar_type();
  if (!rows || !alike || !layer_norm_accepts(weight, input, normalized_shape) ||
      !layer_norm_accepts(bias, input, normalized_shape))
    return fallback<at::_ops::native_layer_norm>(input, normalized_shape, weight, bias, eps);

  const auto dtype = input.scalar_type();
  const at::Tensor plain = onednn::supports(dtype) ? input : input.contiguous();
  const auto src = forms::read_as(plain, forms::row_major_strides(input.sizes()));
  c10::DimVector statistics_shape(input.sizes());
  std::fill(statistics_shape.end() - normalized_shape.size(), statistics_shape.end(), 1);
  const auto statistics = input.options().dtype(layer_norm_statistics(input, weight, bias));
  at::Tensor mean = at::empty(statistics_shape, statistics), rstd = at::empty(statistics_shape, statistics);
  const auto dst = forms::make_contiguous_result(input.sizes(), input.options());
  const Floats scale(weight), shift(bias);
  void *means = write_bytes(mean), *rstds = write_bytes(rstd);
  const auto [count, channels] = *rows;
  const int64_t bytes = channels * static_cast<int64_t>(input.itemsize());
  const profile::Kernel profiled("layer_norm");
  at::parallel_for(
      0, count, std::max<int64_t>(1, 8192 / channels), [&, channels = channels](int64_t begin, int64_t end) {
        std::vector<float> buffer(dtype == at::kFloat ? 0 : channels);
        for (int64_t row = begin; row < end; ++row) {
          const void* from = static_cast<const char*>(src.data) + row * bytes;
          void* to = static_cast<char*>(dst.data) + row * bytes;
          float row_mean, row_rstd;
          const auto run = [&](const float* x, float* y) {
            vec::row_functions().layer_norm(x, scale.data(), shift.data(), y, channels, eps, &row_mean, &row_rstd);
          };
          if (dtype == at::kFloat) {
            run(static_cast<const float*>(from), static_cast<float*>(to));
          } else {
            to_float(dtype, from, buffer.data(), channels);
            run(buffer.data(), buffer.data());
            from_float(dtype, buffer.data(), to, channels);
          }
          keep(mean, means, row, row_mean);
          keep(rstd, rstds, row, row_rstd);
        }
      });
  return {dst.tensor, mean, rstd};
}

} // namespace ipex::ops
