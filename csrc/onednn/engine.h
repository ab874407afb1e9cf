// The oneDNN CPU engine, the calling thread's stream, and what the library can do on this machine.
#pragma once

#include <c10/core/ScalarType.h>
#include <dnnl.hpp>

#include <string>

#include "core/visibility.h"

namespace ipex::onednn {

static_assert(DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP, "executions must be complete when oneDNN returns");

// The engine that all primitives of the process share.
const dnnl::engine& engine();

// The stream of the calling thread.
dnnl::stream& stream();

// The oneDNN type that holds values of `dtype`; undef when there is none.
dnnl::memory::data_type data_type(c10::ScalarType dtype);

// The inverse of data_type.
c10::ScalarType scalar_type(dnnl::memory::data_type dtype);

// Whether kernels for `dtype` can be expected on this instruction set. A primitive may still not exist: find() tells.
bool supports(c10::ScalarType dtype);

// Whether arithmetic in bfloat16 is faster than in float32 here: AVX512_BF16 or AMX.
bool has_bfloat16_instructions();

// Whether there are instructions for sums of products of int8: VNNI or AMX. Without them pairs of products are added in 16
// bits and may saturate.
bool has_int8_instructions();

// Whether there are tiles (AMX), which loops of ours do not use.
bool has_tiles();

// Whether convolutions and products of bfloat16 run as such: with these instructions or, slowly, by emulation if that was
// asked for (tests do, so that the path runs on more machines). Otherwise they run in float32.
bool computes_bfloat16();
IPEX_API void set_bfloat16_emulation(bool emulate);

// The instruction set that oneDNN generates code for, in the spelling of ONEDNN_MAX_CPU_ISA in lower case.
IPEX_API std::string cpu_isa();

// Version of the oneDNN library that is loaded, "3.2.0".
IPEX_API std::string runtime_version();

} // namespace ipex::onednn
