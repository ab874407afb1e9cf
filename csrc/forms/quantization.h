// Quantization: how int8 or uint8 values stand for float32 ones.
#pragma once

#include <dnnl.hpp>

#include <cstdint>

#include "vec/bytes.h"

namespace ipex::forms {

// q = saturate(round(value * scale)), ties to even; q stands for q / scale.
struct Quantization {
  dnnl::memory::data_type dtype = dnnl::memory::data_type::s8; // or u8
  float scale = 1;

  bool operator==(const Quantization&) const = default;

  // No value that is held so has a larger magnitude.
  float bound() const {
    return (dtype == dnnl::memory::data_type::u8 ? 255.f : 128.f) / scale;
  }
};

inline bool is_byte(dnnl::memory::data_type dtype) {
  return dtype == dnnl::memory::data_type::s8 || dtype == dnnl::memory::data_type::u8;
}

// The loops for `dtype`, s8 or u8.
inline const vec::ByteFunctions& byte_functions(dnnl::memory::data_type dtype) {
  const vec::ByteTables& tables = vec::byte_tables();
  return dtype == dnnl::memory::data_type::u8 ? tables.uint8 : tables.int8;
}

} // namespace ipex::forms
