// dropout(src) = src * mask / (1 - p), with a mask that is 1 with probability 1 - p; src itself when not training.
//
//   schema  aten::native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)
//   src     any strides; f32, bf16, f16
//   dst     same shape and dtype; the mask is bool and drawn as stock PyTorch draws it on CPU
//   else    CPU fallback: other dtypes, no elements, more than 6 dimensions, not training
//   errors  RuntimeError when p is not between 0 and 1
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>

#include "aten/fallback.h"
#include "device/generator.h"
#include "forms/storage.h"
#include "ops/convert.h"
#include "ops/kernels.h"
#include "ops/pointwise.h"

namespace ipex::ops {

std::tuple<at::Tensor, at::Tensor> native_dropout(const at::Tensor& input, double p, std::optional<bool> train) {
  if (!is_plain_float(input) || input.numel() == 0 || !train.value_or(true) || !(p >= 0 && p <= 1))
    return fallback<at::_ops::native_dropout>(input, p, train);
  const double kept = 1 - p;
  at::Tensor mask = at::empty_like(input, input.options().dtype(at::kBool));
  // Drawn by the CPU kernel in the memory of `mask`: the numbers are to be those of stock PyTorch.
  at::from_blob(write_bytes(mask), mask.sizes(), mask.strides(), at::TensorOptions(at::kBool))
      .bernoulli_(kept, cpu_generator(default_generator()));
  const float scale = static_cast<float>(kept == 0 ? 0 : 1 / kept);
  at::Tensor dst = pointwise(Pointwise{vec::functions().masked_scale, {scale}}, input, mask);
  TORCH_INTERNAL_ASSERT(dst.defined());
  return {dst, mask};
}

} // namespace ipex::ops
