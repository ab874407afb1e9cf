// The way of tensors to a backend for CPU tensors and back.
#include "distributed/aliases.h"

#include <ATen/core/List.h>

#include "aten/alias.h"
#include "aten/on_device.h"
#include "core/device.h"

namespace ipex::distributed {

using at::Tensor;

Tensor Aliases::of(const Tensor& tensor) {
  if (!on_device(tensor))
    return tensor;
  const bool sparse = tensor.layout() != at::kStrided;
  has_sparse_ |= sparse;
  pairs_.push_back({tensor, sparse ? tensor.to(kCpu) : as_cpu(tensor)});
  return pairs_.back().cpu;
}

std::vector<Tensor> Aliases::of(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  result.reserve(tensors.size());
  for (const Tensor& tensor : tensors)
    result.push_back(of(tensor));
  return result;
}

std::vector<std::vector<Tensor>> Aliases::of(const std::vector<std::vector<Tensor>>& lists) {
  std::vector<std::vector<Tensor>> result;
  result.reserve(lists.size());
  for (const auto& tensors : lists)
    result.push_back(of(tensors));
  return result;
}

void Aliases::finish() {
  if (!has_sparse_)
    return;
  std::call_once(finished_, [this] {
    for (Pair& pair : pairs_)
      if (pair.cpu.layout() != at::kStrided)
        pair.device.copy_(pair.cpu.to(kDevice));
  });
}

Tensor Aliases::back(const Tensor& cpu) {
  finish();
  for (const Pair& pair : pairs_)
    if (pair.cpu.is_same(cpu))
      return pair.device;
  const bool foreign = empty() || !cpu.defined() || !cpu.device().is_cpu();
  return foreign ? cpu : cpu.layout() == at::kStrided ? from_cpu(cpu) : cpu.to(kDevice);
}

c10::IValue Aliases::back(const c10::IValue& value) {
  if (value.isTensor())
    return back(value.toTensor());
  if (!value.isList())
    return value;
  c10::List<c10::IValue> from = value.toList();
  c10::impl::GenericList to(from.elementType());
  to.reserve(from.size());
  for (size_t i = 0; i < from.size(); ++i)
    to.push_back(back(from.get(i)));
  return to;
}

} // namespace ipex::distributed
