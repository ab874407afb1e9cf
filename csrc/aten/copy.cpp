// Copies of tensors in a physical form, the copy hooks that composites call by name, and what keeps copies of conjugate
// and negative views from recursing.
#include <ATen/ExpandUtils.h>
#include <ATen/MemoryOverlap.h>

#include "aten/fallback.h"
#include "aten/on_device.h"
#include "aten/stats.h"
#include "forms/narrow.h"
#include "forms/operand.h"
#include "forms/order.h"
#include "forms/reorder.h"
#include "onednn/engine.h"

namespace ipex {

namespace {

using at::Tensor;

bool has_form(const Tensor& tensor) {
  return on_device(tensor) && tensor.storage().unsafeGetStorageImpl()->has_materializer();
}

// Whether one reorder from where `src` lies to where `dst` lies does the copy. Plain tensors are left to PyTorch.
bool is_reorder(const Tensor& dst, const Tensor& src) {
  return (has_form(src) || has_form(dst)) && on_device(src) && (on_device(dst) || dst.device().is_cpu()) &&
      forms::readable(src) && forms::readable(dst) && src.scalar_type() == dst.scalar_type() &&
      src.sizes() == dst.sizes() && src.numel() != 0 && dst.is_non_overlapping_and_dense() &&
      !dst.storage().is_alias_of(src.storage());
}

Tensor& copy_(Tensor& self, const Tensor& src, bool non_blocking) {
  static OperatorStats& stats = operator_stats("aten::copy_");
  stats.native_called();
  if (!is_reorder(self, src))
    return fallback<at::_ops::copy_>(self, src, non_blocking);
  const auto from = forms::read(src);
  if (on_device(self)) {
    const auto to = forms::update(self);
    forms::reorder(from.layout, from.data, to.layout, to.data);
  } else {
    const auto to = onednn::Layout::strided(from.layout.dtype, self.sizes(), self.strides());
    forms::reorder(from.layout, from.data, to, self.mutable_data_ptr());
  }
  return self;
}

// The strides that stock PyTorch gives a clone; nothing for formats that a tensor of this rank does not have.
std::optional<c10::DimVector> clone_strides(const Tensor& self, at::MemoryFormat format) {
  switch (format) {
    case at::MemoryFormat::Preserve: {
      if (self.is_non_overlapping_and_dense())
        return c10::DimVector(self.strides());
      const auto strides = at::infer_dense_strides(self.sizes(), self.strides());
      return c10::DimVector(strides.begin(), strides.end());
    }
    case at::MemoryFormat::Contiguous:
      return forms::row_major_strides(self.sizes());
    case at::MemoryFormat::ChannelsLast:
    case at::MemoryFormat::ChannelsLast3d:
      if (self.dim() == (format == at::MemoryFormat::ChannelsLast ? 4 : 5))
        return forms::channels_last_strides(self.sizes());
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// Tensors that lie in another order than PyTorch shows keep that order.
Tensor make_clone(const Tensor& self, std::optional<at::MemoryFormat> format) {
  static OperatorStats& stats = operator_stats("aten::clone");
  stats.native_called();
  if (has_form(self) && self.numel() != 0 && forms::is_narrow(self) && !self.is_neg()) {
    return forms::shown_wide(make_clone(forms::narrow(self), format)); // the same values: they stay narrow
  }
  const auto strides = forms::readable(self) && self.numel() != 0
      ? clone_strides(self, format.value_or(at::MemoryFormat::Preserve))
      : std::nullopt;
  if (!strides)
    return fallback<at::_ops::clone>(self, format);
  if (has_form(self)) {
    const auto src = forms::read(self);
    if (!forms::same_order(self.sizes(), src.strides(), self.strides())) {
      const auto physical = forms::compact_strides(self.sizes(), src.strides());
      const auto dst = forms::make_result(self.sizes(), *strides, physical, self.options());
      forms::reorder(src.layout, src.data, dst.layout, dst.data);
      return dst.tensor;
    }
  }
  return at::empty_strided(self.sizes(), *strides, self.options()).copy_(self);
}

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
  m.impl("clone", TORCH_FN(make_clone));
  m.impl("copy_", TORCH_FN(copy_));
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
