// Gradients of linear: grad_output x weight, grad_output^T x self and the sum of the rows of grad_output, with all
// dimensions but the last as rows.
//
//   schema  aten::linear_backward(Tensor self, Tensor grad_output, Tensor weight, bool[3] output_mask) -> (Tensor,
//           Tensor, Tensor)
//   src     self [..., I], grad_output [..., O], weight [O, I], any strides; f32, bf16
//   dst     contiguous, with the sizes of self, weight and bias [O]; undefined where the mask says so
//   else    products and sums of other operators: other dtypes, no elements
//   errors  RuntimeError when shapes do not fit
//   source  oneDNN developer guide, "Matrix Multiplication"; our own loop for the bias
#include <ATen/ops/matmul.h>

#include "aten/stats.h"
#include "ops/column_sum.h"
#include "ops/kernels.h"
#include "ops/product.h"

namespace ipex::ops {

namespace {

using Gradients = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

bool fits(const at::Tensor& self, const at::Tensor& grad_output, const at::Tensor& weight) {
  return forms::readable(self) && forms::readable(grad_output) && forms::readable(weight) &&
      (self.scalar_type() == at::kFloat || self.scalar_type() == at::kBFloat16) &&
      self.scalar_type() == grad_output.scalar_type() && self.scalar_type() == weight.scalar_type() &&
      weight.dim() == 2 && self.dim() > 0 && self.dim() == grad_output.dim() && self.numel() != 0 &&
      grad_output.numel() != 0 && self.size(-1) == weight.size(1) && grad_output.size(-1) == weight.size(0) &&
      self.sizes().slice(0, self.dim() - 1) == grad_output.sizes().slice(0, self.dim() - 1);
}

// What PyTorch's composite formula of linear computes; there is no CPU kernel to fall back to.
Gradients composite(
    const at::Tensor& self,
    const at::Tensor& grad_output,
    const at::Tensor& weight,
    const std::array<bool, 3>& mask) {
  static OperatorStats& stats = operator_stats("aten::linear_backward");
  stats.native_declined();
  enter_fallback("aten::linear_backward", stats);
  const int64_t count = c10::multiply_integers(self.sizes().slice(0, self.dim() - 1));
  const auto rows = grad_output.reshape({count, grad_output.size(-1)});
  Gradients made;
  if (mask[0])
    std::get<0>(made) = at::matmul(grad_output, weight.conj());
  if (mask[1])
    std::get<1>(made) = rows.t().matmul(self.reshape({count, self.size(-1)}).conj());
  if (mask[2])
    std::get<2>(made) = rows.sum(0, /*keepdim=*/false, rows.scalar_type());
  return made;
}

// The tensor as a matrix with adjacent rows.
forms::Operand rows_of(const at::Tensor& tensor, int64_t rows) {
  auto operand = forms::read_as(tensor, forms::row_major_strides(tensor.sizes()));
  operand.layout = onednn::Layout::dense(operand.layout.dtype, {rows, tensor.size(-1)});
  return operand;
}

} // namespace

Gradients linear_backward(
    const at::Tensor& self,
    const at::Tensor& grad_output,
    const at::Tensor& weight,
    std::array<bool, 3> output_mask) {
  if (!fits(self, grad_output, weight))
    return composite(self, grad_output, weight, output_mask);
  const int64_t rows = self.numel() / self.size(-1);
  const auto diff_dst = rows_of(grad_output, rows);
  const auto dtype = diff_dst.layout.dtype;
  std::optional<Product> data, weights;
  if (output_mask[0])
    data = Product::plan(diff_dst, Weights(weight), onednn::Layout::dense(dtype, {rows, self.size(-1)}));
  if (output_mask[1])
    weights = Product::plan(diff_dst.transposed(), rows_of(self, rows), onednn::Layout::dense(dtype, weight.sizes()));
  if ((output_mask[0] && !data) || (output_mask[1] && !weights))
    return composite(self, grad_output, weight, output_mask);

  Gradients made;
  if (data) {
    const auto diff_src = forms::make_contiguous_result(self.sizes(), self.options());
    data->run(diff_src.data);
    std::get<0>(made) = diff_src.tensor;
  }
  if (weights) {
    const auto diff_weights = forms::make_contiguous_result(weight.sizes(), self.options());
    weights->run(diff_weights.data);
    std::get<1>(made) = diff_weights.tensor;
  }
  if (output_mask[2]) {
    const auto diff_bias = forms::make_contiguous_result({weight.size(0)}, self.options());
    column_sum(diff_dst.data, diff_bias.data, rows, weight.size(0), self.scalar_type());
    std::get<2>(made) = diff_bias.tensor;
  }
  return made;
}

} // namespace ipex::ops
