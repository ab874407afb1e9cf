// Element-wise functions over adjacent float32 values, and conversions from and to other types, compiled for three
// instruction sets; functions() is the table for this machine.
#pragma once

#include <array>
#include <cstdint>

namespace ipex::vec {

// dst[i] = f(src[0][i], src[1][i], src[2][i]) for `count` elements. `dst` may be one of the sources. `parameters` are
// those of functions.cpp.
using Run = void (*)(float* dst, const float* const* src, int64_t count, const float* parameters);

// Elements that one thread should have at least, so that starting it pays.
constexpr int64_t light = 16384;
constexpr int64_t heavy = 4096;

struct Function {
  Run run;
  int64_t grain;
};

// A function and its parameters.
struct Pointwise {
  Function function;
  std::array<float, 4> parameters{};
};

// `count` adjacent elements from one type to another; narrowing rounds to nearest, ties to even.
using Convert = void (*)(const void* src, void* dst, int64_t count);

struct Functions {
#define IPEX_VEC(name, cost) Function name;
#include "vec/functions.inc"
#undef IPEX_VEC
  Convert bfloat16_to_float;
  Convert float_to_bfloat16;
  Convert half_to_float;
  Convert float_to_half;
};

// The functions for the widest instruction set that oneDNN may use too (ONEDNN_MAX_CPU_ISA).
const Functions& functions();

} // namespace ipex::vec
