// Reads a form without changing it.
#include "forms/describe.h"

#include <algorithm>

#include "forms/form.h"
#include "forms/translate.h"
#include "onednn/engine.h"

namespace ipex::forms {

namespace {

// The letters of the dimensions in the order of memory, capital where they are blocked: "aBcd8b".
std::string format_of(const dnnl::memory::desc& desc) {
  const int rank = desc.get_ndims();
  const auto strides = desc.get_strides();
  const auto blocks = desc.get_inner_blks();
  const auto blocked = desc.get_inner_idxs();
  std::vector<int> order(rank);
  for (int dim = 0; dim < rank; ++dim)
    order[dim] = dim;
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return strides[a] > strides[b]; });
  std::string format;
  for (const int dim : order) {
    const bool is_blocked = std::find(blocked.begin(), blocked.end(), dim) != blocked.end();
    format += static_cast<char>((is_blocked ? 'A' : 'a') + dim);
  }
  for (size_t i = 0; i < blocks.size(); ++i)
    format += std::to_string(blocks[i]) + static_cast<char>('a' + blocked[i]);
  return format;
}

// Where `tensor` lies in the physical bytes of `form`, if there are some.
void add_physical(Description& description, const Form& form, const at::Tensor& tensor) {
  if (!form.physical)
    return;
  const Physical& physical = *form.physical;
  description.dtype = onednn::scalar_type(physical.layout.dtype);
  const auto place =
      translate(physical.plain, physical.layout, tensor.sizes(), tensor.strides(), tensor.storage_offset());
  description.strides = place ? std::optional(c10::DimVector(place->layout.strides_ref())) : std::nullopt;
}

void add_packed(Description& description, const Form& form) {
  for (const Packed& packed : form.packed) {
    description.packed.push_back(format_of(packed.desc));
    description.packed_bytes += static_cast<int64_t>(packed.buffer->nbytes);
  }
}

} // namespace

Description describe(const at::Tensor& tensor) {
  Description description;
  description.dtype = tensor.scalar_type();
  if (!tensor.has_storage())
    return description;
  Form* form = Form::of(*tensor.storage().unsafeGetStorageImpl());
  if (form == nullptr)
    return description;
  const Form::Lock lock(*form);
  description.plain = form->plain;
  description.open = form->open != nullptr;
  description.generation = static_cast<int64_t>(form->generation);
  if (form->only_narrow) {
    description.dtype = c10::kBFloat16;
    description.strides = c10::DimVector(tensor.strides());
  }
  add_physical(description, *form, tensor);
  add_packed(description, *form);
  if (form->only_quantized) {
    const Quantized& quantized = *form->quantized;
    description.dtype = onednn::scalar_type(quantized.as.dtype);
    const auto place =
        translate(quantized.plain, quantized.layout, tensor.sizes(), tensor.strides(), tensor.storage_offset());
    description.strides = place ? std::optional(c10::DimVector(place->layout.strides_ref())) : std::nullopt;
  }
  if (form->due || form->quantized)
    description.quantization = form->due ? *form->due : form->quantized->as;
  if (form->narrow) {
    if (Form* narrow = Form::of(*form->narrow.unsafeGetStorageImpl())) {
      const Form::Lock narrow_lock(*narrow);
      if (form->only_narrow)
        add_physical(description, *narrow, tensor);
      add_packed(description, *narrow);
    }
  }
  return description;
}

std::string summary(const at::Tensor& tensor) {
  if (tensor.layout() != at::kStrided || tensor.is_nested() || tensor.dim() > 26)
    return c10::str(tensor.scalar_type(), tensor.sizes());
  const Description form = describe(tensor);
  std::string text = c10::str(tensor.scalar_type());
  if (form.dtype != tensor.scalar_type())
    text += c10::str(':', form.dtype);
  text += c10::str(tensor.sizes());
  if (tensor.dim() < 2)
    return text;
  const c10::IntArrayRef strides = form.strides && !form.plain ? *form.strides : tensor.strides();
  std::vector<int> order;
  for (int dim = 0; dim < tensor.dim(); ++dim)
    if (tensor.size(dim) != 1)
      order.push_back(dim);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return strides[a] > strides[b]; });
  if (std::is_sorted(order.begin(), order.end()))
    return text;
  text += '@';
  for (const int dim : order)
    text += static_cast<char>('a' + dim);
  return text;
}

} // namespace ipex::forms
