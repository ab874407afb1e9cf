// Product: how to multiply two matrices, or batches of them, and the state of having decided it.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "forms/operand.h"
#include "forms/packed.h"
#include "fusion/open_primitive.h"
#include "onednn/inner_product.h"
#include "onednn/matmul.h"
#include "onednn/primitive.h"
#include "simd/kernels.h"

namespace ipex::ops {

struct Factors {
  float alpha = 1;
  float beta = 0; // of what dst holds before; 0: that is not read
};

// The right-hand factor: values, or a tensor (perhaps transposed) that may have, or get, a packed copy. The plain bytes
// of a tensor are read only when no packed copy serves.
class Weights {
 public:
  Weights(forms::Operand values) : values_(std::move(values)) {}
  explicit Weights(const at::Tensor& tensor, bool transposed = false, forms::Reuse reuse = forms::Reuse::kMaybe)
      : tensor_(&tensor),
        transposed_(transposed),
        reuse_(reuse) {}

  forms::Operand values() &&;

  // The tensor and how it looks as oneDNN's weights, [N, K]; nothing when packing it does not pay.
  struct Parameter {
    const at::Tensor& tensor;
    onednn::Layout layout;
  };
  std::optional<Parameter> parameter() const;

 private:
  forms::Operand values_;
  const at::Tensor* tensor_ = nullptr;
  bool transposed_ = false;
  forms::Reuse reuse_ = forms::Reuse::kNever;
};

// A product that is ready to run.
class Product {
 public:
  // src [(B,) M, K] times weights [(B,) K, N]. `dst` says where the result will lie. Nothing when oneDNN has no kernel.
  static std::optional<Product> plan(
      forms::Operand src,
      Weights weights,
      const onednn::Layout& dst,
      Factors factors = {},
      onednn::Bias bias = onednn::Bias::kNone);

  // `bias` [N], adjacent in memory; only when planned.
  void run(void* dst, const void* bias = nullptr) const;

  // Whether it reads a packed copy of the weights, which stays as it is when somebody writes them.
  bool is_packed() const {
    return packed_.buffer != nullptr;
  }

  // Whether it pays to run it with post-ops, and can be done.
  bool takes_post_ops() const {
    return is_packed() || plain_spec_.has_value();
  }

  // The same followed by some first post-ops of `steps`, if it takes them; `src` and, unless they are packed, `weights` are
  // what it was planned with.
  fusion::Base::Done run(
      void* dst,
      const fusion::HeldBias& bias,
      const fusion::Held& src,
      const std::optional<fusion::Held>& weights,
      c10::ArrayRef<const fusion::PostOp*> steps) const;

 private:
  void run_tiled_with(void* dst, const void* bias, c10::ArrayRef<const fusion::PostOp*> steps) const;
  bool plan_small(const onednn::Layout& dst);
  // By our own loops.
  void plan_tiled(const Weights::Parameter& parameter);
  // `parameter`: the packed copy stays on it; nothing: a copy of weights_ for this product alone.
  bool plan_packed(const std::optional<Weights::Parameter>& parameter, const onednn::Layout& dst, onednn::Bias bias);
  bool plan_plain(onednn::Layout dst, Factors factors, onednn::Bias bias);

  forms::Operand src_;
  forms::Operand weights_;
  forms::PackedWeights packed_; // used instead of weights_ when it has data
  std::shared_ptr<const onednn::Primitive> kernel_; // null: tiled_ or small_product.h
  std::optional<onednn::InnerProduct> spec_; // of kernel_, when packed
  std::optional<onednn::MatMul> plain_spec_; // of kernel_, when it takes post-ops and is not packed
  std::optional<simd::MatrixProduct> tiled_;
  forms::Result padded_dst_; // dst with more rows, when the kernel wants them
  int64_t wanted_bytes_ = 0; // of dst without them
  float alpha_ = 1;
};

} // namespace ipex::ops
