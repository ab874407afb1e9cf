// A product as the base of an open primitive.
#include "ops/open_product.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace ipex::ops {

namespace {

// A product that is to be run later.
class OpenProduct final : public fusion::Base {
 public:
  OpenProduct(
      const char* name,
      Product product,
      fusion::Held src,
      std::optional<fusion::Held> weights,
      const forms::Operand& shift)
      : name_(name),
        product_(std::move(product)),
        src_(std::move(src)),
        weights_(std::move(weights)),
        bias_(shift.data ? fusion::HeldBias(shift) : fusion::HeldBias()) {}

  const char* name() const override {
    return name_;
  }

  Done run(void* dst, c10::ArrayRef<const fusion::PostOp*> steps) const override {
    return product_.run(dst, bias_, src_, weights_, steps);
  }

 private:
  const char* const name_;
  const Product product_;
  const fusion::Held src_;
  const std::optional<fusion::Held> weights_; // nothing: packed
  const fusion::HeldBias bias_;
};

} // namespace

at::Tensor open_product(
    const char* name,
    Product& product,
    const at::Tensor& src,
    const forms::Operand& operand,
    const at::Tensor& weights,
    const at::Tensor& bias,
    const forms::Operand& shift,
    c10::IntArrayRef sizes) {
  if (!product.takes_post_ops() || !fusion::may_open({&src, &weights, &bias}))
    return {};
  const auto hold = [](const at::Tensor& tensor, const forms::Operand& values) {
    return values.dense() ? fusion::hold(tensor, values, /*may_copy=*/false) : std::nullopt;
  };
  const auto held = hold(src, operand);
  if (!held)
    return {};
  std::vector<fusion::Held> reads{*held};
  std::optional<fusion::Held> right;
  if (!product.is_packed()) {
    right = hold(weights, forms::read(weights));
    if (!right)
      return {};
    reads.push_back(*right);
  }
  const auto strides = forms::row_major_strides(sizes);
  return fusion::open(
      std::make_shared<OpenProduct>(name, std::move(product), *held, std::move(right), shift),
      reads,
      sizes,
      strides,
      strides);
}

} // namespace ipex::ops
