// The strides that stock PyTorch's TensorIterator gives the result of an element-wise operator.
#pragma once

#include <ATen/core/Tensor.h>

namespace ipex::ops {

// For sources in the order in which the iterator takes them, broadcast to `sizes`.
c10::DimVector iterator_strides(c10::ArrayRef<const at::Tensor*> src, c10::IntArrayRef sizes);

} // namespace ipex::ops
