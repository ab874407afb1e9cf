// Tensor.item(): reads one element; most programs call it often enough that a twin would be felt.
#include <ATen/ops/_local_scalar_dense_native.h>

#include "aten/stats.h"
#include "forms/storage.h"

namespace ipex {

namespace {

at::Scalar local_scalar_dense(const at::Tensor& self) {
  static OperatorStats& stats = operator_stats("aten::_local_scalar_dense");
  stats.native_called();
  read_bytes(self); // plain from here on
  return at::native::_local_scalar_dense_cpu(self); // looks at dtype and address only
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_local_scalar_dense", TORCH_FN(local_scalar_dense));
}

} // namespace

} // namespace ipex
