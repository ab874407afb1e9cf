// The copy hooks that composites call by name, and what keeps copies of conjugate and negative views from recursing.
#include "aten/twin.h"

namespace ipex {

namespace {

using at::Tensor;

Tensor copy_from(const Tensor& self, const Tensor& dst, bool non_blocking) {
  dst.copy_(self, non_blocking);
  return dst;
}

Tensor copy_from_and_resize(const Tensor& self, const Tensor& dst) {
  dst.resize_(self.sizes());
  dst.copy_(self);
  return dst;
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_copy_from", TORCH_FN(copy_from));
  m.impl("_copy_from_and_resize", TORCH_FN(copy_from_and_resize));
}

// copy_ falls through these keys, _copy_from does not: its math-bit fallback would clone, copy and call it again for
// ever.
TORCH_LIBRARY_IMPL(aten, Conjugate, m) {
  m.impl("_copy_from", torch::CppFunction::makeFallthrough());
}

TORCH_LIBRARY_IMPL(aten, Negative, m) {
  m.impl("_copy_from", torch::CppFunction::makeFallthrough());
}

} // namespace

} // namespace ipex
