// Which of oneDNN's two functions PyTorch's `approximate` argument means.
#pragma once

#include <dnnl.hpp>

#include <optional>
#include <string_view>

namespace ipex::ops {

// "none" is the exact function, "tanh" its approximation; nothing for other texts (stock PyTorch has the error).
inline std::optional<dnnl::algorithm> gelu_algorithm(std::string_view approximate) {
  if (approximate == "none")
    return dnnl::algorithm::eltwise_gelu_erf;
  if (approximate == "tanh")
    return dnnl::algorithm::eltwise_gelu_tanh;
  return std::nullopt;
}

} // namespace ipex::ops
