// Operators that torch.jit.trace expects to see under another name.
#pragma once

#include <ATen/Operators.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include <type_traits>

namespace ipex {

// Whether a call of `Op` is being traced and is to be recorded as what `call_traced` calls. To be asked before anything is done
// with the arguments: what happens to them would be missing in the trace.
template <class Op>
bool is_traced() {
  if constexpr (std::is_same_v<Op, at::_ops::convolution>)
    return torch::jit::tracer::isTracing();
  return false;
}

// aten::_convolution instead of aten::convolution; it calls the latter again, which is not traced then.
template <class Op, class Result, class... Args>
Result call_traced(Args&&... args) {
  if constexpr (std::is_same_v<Op, at::_ops::convolution>)
    return at::_convolution(
        std::forward<Args>(args)...,
        /*benchmark=*/false,
        /*deterministic=*/false,
        /*cudnn_enabled=*/true,
        /*allow_tf32=*/true);
  TORCH_INTERNAL_ASSERT(false, "no operator that traces know by another name");
}

} // namespace ipex
