// Runs products for the operators that name two matrices, or batches of them.
#include "ops/matmul.h"

#include <ATen/ExpandUtils.h>
#include <ATen/native/Resize.h>

#include "onednn/engine.h"
#include "ops/open_product.h"
#include "ops/product.h"

namespace ipex::ops {

namespace {

using onednn::Layout;

c10::DimVector result_sizes(const at::Tensor& a, const at::Tensor& b) {
  c10::DimVector sizes(a.sizes());
  sizes.back() = b.size(-1);
  return sizes;
}

// What is added to a product: nothing, a multiple of what lies in the result, or a bias that the kernel adds by itself.
struct Addend {
  Factors factors;
  onednn::Bias kind = onednn::Bias::kNone;
  forms::Operand bias;
};

// `self` (undefined: nothing) beside a product of `sizes`. `takes_bias`: whether the result is another tensor, with
// adjacent columns.
Addend addend(
    const at::Tensor& self,
    c10::IntArrayRef sizes,
    const at::Scalar& beta,
    const at::Scalar& alpha,
    bool takes_bias = true) {
  if (!self.defined())
    return {};
  const Factors factors{alpha.to<float>(), beta.to<float>()};
  const bool is_bias = takes_bias && sizes.size() == 2 && factors.alpha == 1 && factors.beta == 1 && self.dim() > 0 &&
      self.numel() == sizes[1] && self.size(-1) == sizes[1];
  if (!is_bias)
    return {factors, onednn::Bias::kNone, {}};
  return {Factors{}, onednn::Bias::kOfWeights, forms::read_as(self, forms::row_major_strides(self.sizes()))};
}

} // namespace

bool multipliable(const at::Tensor& a, const at::Tensor& b, int64_t rank) {
  return forms::readable(a) && forms::readable(b) && a.is_floating_point() && a.scalar_type() == b.scalar_type() &&
      a.dim() == rank && b.dim() == rank && a.size(-1) == b.size(-2) && (rank == 2 || a.size(0) == b.size(0)) &&
      a.numel() != 0 && b.numel() != 0;
}

bool addable(
    const at::Tensor& self,
    const at::Tensor& like,
    c10::IntArrayRef sizes,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  // BLAS does not look at the matrices when alpha is 0, so NaN in them would be lost as in stock PyTorch.
  return forms::readable(self) && self.scalar_type() == like.scalar_type() &&
      at::is_expandable_to(self.sizes(), sizes) && !beta.isComplex() && !alpha.isComplex() && alpha.to<float>() != 0;
}

at::Tensor multiply(
    const at::Tensor& self,
    const at::Tensor& a,
    const at::Tensor& b,
    int64_t rank,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  if (!multipliable(a, b, rank))
    return {};
  const auto sizes = result_sizes(a, b);
  const auto dst = Layout::dense(onednn::data_type(a.scalar_type()), sizes);
  const bool adds = self.defined();
  if (adds && !addable(self, a, sizes, beta, alpha))
    return {};
  const auto [factors, kind, bias] = addend(self, sizes, beta, alpha);
  const auto src = forms::read(a);
  auto product = Product::plan(src, Weights(b), dst, factors, kind);
  if (!product)
    return {};
  const char* const name = rank == 2 ? (adds ? "addmm" : "mm") : (adds ? "baddbmm" : "bmm");
  if (at::Tensor open = open_product(name, *product, a, src, b, self, bias, sizes); open.defined())
    return open;
  const auto result = forms::make_contiguous_result(sizes, a.options());
  if (factors.beta != 0)
    result.tensor.copy_(self.expand(sizes));
  product->run(result.data, bias.data);
  return result.tensor;
}

bool prepare_out(const at::Tensor& out, const at::Tensor& like, c10::IntArrayRef sizes, at::TensorList inputs) {
  if (!forms::readable(out) || out.scalar_type() != like.scalar_type())
    return false;
  for (const at::Tensor& input : inputs)
    if (input.defined() && !input.is_same(out) && input.is_alias_of(out))
      return false;
  if (out.sizes() == sizes)
    return true;
  return out.numel() == 0 && at::native::resize_output(out, sizes);
}

bool multiply_into(
    const at::Tensor& out,
    const at::Tensor& self,
    const at::Tensor& a,
    const at::Tensor& b,
    int64_t rank,
    const at::Scalar& beta,
    const at::Scalar& alpha) {
  if (!multipliable(a, b, rank) || a.is_same(out) || b.is_same(out))
    return false;
  const auto sizes = result_sizes(a, b);
  const bool in_place = self.is_same(out);
  if ((in_place && self.sizes() != sizes) || (self.defined() && !addable(self, a, sizes, beta, alpha)) ||
      !prepare_out(out, a, sizes, {self, a, b}))
    return false;
  const auto [factors, kind, bias] = addend(self, sizes, beta, alpha, /*takes_bias=*/!in_place && out.stride(-1) == 1);
  if (factors.beta != 0 && !in_place)
    out.copy_(self.expand(sizes));
  const auto dst = forms::update(out);
  const auto product =
      dst.layout.disjoint() ? Product::plan(forms::read(a), Weights(b), dst.layout, factors, kind) : std::nullopt;
  if (!product)
    return false;
  product->run(dst.data, bias.data);
  return true;
}

} // namespace ipex::ops
