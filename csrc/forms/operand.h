// Operands of kernels: tensors as they lie in memory, whatever strides PyTorch shows for them.
//
//   const Operand src = forms::read(self);
//   Result dst = forms::make_result(self.sizes(), self.strides(), src.strides(), self.options());
//   kernel->run({{DNNL_ARG_SRC, src.data}, {DNNL_ARG_DST, dst.data}});
//   return dst.tensor;
#pragma once

#include <ATen/core/Tensor.h>

#include "core/visibility.h"
#include "forms/form.h"
#include "onednn/layout.h"

namespace ipex::forms {

// What a kernel reads. Valid while the tensor lives and nobody writes it.
struct Operand {
  const void* data = nullptr; // the first element
  onednn::Layout layout; // sizes as PyTorch shows them (a scalar has one dimension of size 1), strides in memory
  at::Tensor owner; // defined when the values are a temporary copy
  Pin pin;
  std::shared_ptr<const Buffer> buffer{}; // set when the values are a copy that nobody writes
  float scale = 1; // of s8 and u8 values: they stand for value / scale

  c10::IntArrayRef sizes() const {
    return layout.sizes_ref();
  }
  c10::IntArrayRef strides() const {
    return layout.strides_ref();
  }
  // The same with the last two dimensions exchanged.
  Operand transposed() const {
    Operand other = *this;
    std::swap(other.layout.sizes[layout.rank - 1], other.layout.sizes[layout.rank - 2]);
    std::swap(other.layout.strides[layout.rank - 1], other.layout.strides[layout.rank - 2]);
    return other;
  }
  // Whether the elements are one run of memory without overlaps, in whatever order of dimensions.
  bool dense() const {
    return layout.dense();
  }
};

// What a kernel writes.
struct Result {
  at::Tensor tensor;
  void* data = nullptr;
  onednn::Layout layout;
  Pin pin;
};

struct PinnedBytes {
  const void* data;
  Pin pin;
};

// The plain bytes of `storage` for reading, while the pin lives.
PinnedBytes read_pinned(c10::StorageImpl& storage);

// The same for reading and writing; packed copies and physical forms are dropped.
PinnedBytes write_pinned(c10::StorageImpl& storage);

// Whether `tensor` can be an operand: strided, of at most 6 dimensions, of a dtype that oneDNN has a type for, without
// lazy conjugation or negation.
bool readable(const at::Tensor& tensor);

// Where the elements of `tensor` are in its plain bytes.
onednn::Layout plain_layout(const at::Tensor& tensor);

// `tensor` for reading. Only a view that no strides describe in the physical bytes makes those plain.
Operand read(const at::Tensor& tensor);

// `tensor` for reading, in the order of dimensions that `strides` (dense, in elements) says; copied if it lies
// otherwise.
Operand read_as(const at::Tensor& tensor, c10::IntArrayRef strides);

// A copy of `operand` that lies as `strides` (dense, in elements) says.
Operand copy(const Operand& operand, c10::IntArrayRef strides);

// `tensor` for reading and writing in place. Drops what was derived from it.
Result update(const at::Tensor& tensor);

// A new tensor that PyTorch sees with `strides` and that holds its values with the strides `physical`. Both must be
// dense. The two may be the same.
Result make_result(
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    c10::IntArrayRef physical,
    const at::TensorOptions& options);

// The same with strides that are contiguous, in both senses.
Result make_contiguous_result(c10::IntArrayRef sizes, const at::TensorOptions& options);

// A copy of `tensor` (dense), with its strides, that lies in memory with the dimensions in `order`, slowest first. For
// tests: kernels make such tensors themselves. Throws E103.
IPEX_API at::Tensor with_order(const at::Tensor& tensor, c10::ArrayRef<int64_t> order);

// What read(tensor) sees, as a new CPU tensor. For tests.
IPEX_API at::Tensor copy_of_operand(const at::Tensor& tensor);

// A result without a tensor of its own yet: `tensor` was just made by the caller and nobody else has seen it.
Result wrap_fresh(const at::Tensor& tensor);

// Channels-last strides for 3 to 5 dimensions, contiguous ones otherwise.
c10::DimVector channels_last_strides(c10::IntArrayRef sizes);
c10::DimVector row_major_strides(c10::IntArrayRef sizes);

// Whether `a` and `b` place the elements of a tensor of `sizes` alike; dimensions of size 1 do not matter.
bool same_order(c10::IntArrayRef sizes, c10::IntArrayRef a, c10::IntArrayRef b);

} // namespace ipex::forms
