// A linear layer in int8 on our own loops (csrc/simd/byte_product.cpp).
//
// oneDNN 3.2 reaches a third to a half of the arithmetic with weights that are not in the caches: ours ask for them ahead, as
// tiled_product.h does in float32.
#pragma once

#include "ops/quantized_epilogue.h"

namespace ipex::ops {

// Whether they serve here, and are the faster way.
bool takes_byte_products(int64_t rows, int64_t depth);

// The packed layout of weights [N, K]: panels of 16 outputs, four inputs of each adjacent.
dnnl::memory::desc byte_panels(int64_t outputs, int64_t inputs);

class ByteProduct final : public fusion::Base {
 public:
  // Weights in byte_panels().
  ByteProduct(int64_t rows, QuantizedOperands operands) : rows_(rows), operands_(std::move(operands)) {}

  const char* name() const override {
    return "inner_product";
  }

  Done run(void* dst, c10::ArrayRef<const fusion::PostOp*> steps) const override;

  std::optional<Done> run_quantized(
      void* dst,
      const forms::Quantization& as,
      c10::ArrayRef<const fusion::PostOp*> steps) const override;

 private:
  // Whether a step can run on parts of rows.
  static bool takes(const fusion::PostOp& step) {
    return step.kind != fusion::PostOp::Kind::kScaleShift;
  }

  void execute(void* dst, const forms::Quantization* as, c10::ArrayRef<const fusion::PostOp*> steps) const;

  const int64_t rows_;
  const QuantizedOperands operands_;
};

} // namespace ipex::ops
