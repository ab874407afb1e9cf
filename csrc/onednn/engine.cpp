// Creates engine and streams once and answers questions about the instruction set.
#include "onednn/engine.h"

#include <c10/macros/Macros.h>
#include <c10/util/StringUtil.h>

#include <atomic>
#include <string_view>

#include "core/build_info.h"

namespace ipex::onednn {

// torch ships headers of the oneDNN that is hidden inside it; they must not be found first.
static_assert(
    std::string_view(IPEX_BUILD_ONEDNN)
        .starts_with(C10_STRINGIZE(DNNL_VERSION_MAJOR) "." C10_STRINGIZE(DNNL_VERSION_MINOR) "."),
    "the oneDNN headers are not those of the library that is linked");

namespace {

std::atomic<bool> emulates_bfloat16{false};

bool isa_includes(dnnl::cpu_isa required) {
  // The constants are bit sets: a newer instruction set contains the bits of those that it extends.
  static const auto effective = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  return (effective & static_cast<unsigned>(required)) == static_cast<unsigned>(required);
}

} // namespace

const dnnl::engine& engine() {
  // Never destroyed: other threads may still compute while the process ends.
  static const auto* engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

dnnl::stream& stream() {
  thread_local dnnl::stream stream(engine());
  return stream;
}

dnnl::memory::data_type data_type(c10::ScalarType dtype) {
  using type = dnnl::memory::data_type;
  switch (dtype) {
    case c10::ScalarType::Float:
      return type::f32;
    case c10::ScalarType::BFloat16:
      return type::bf16;
    case c10::ScalarType::Half:
      return type::f16;
    case c10::ScalarType::Int:
      return type::s32;
    case c10::ScalarType::Char:
      return type::s8;
    case c10::ScalarType::Byte:
      return type::u8;
    default:
      return type::undef;
  }
}

c10::ScalarType scalar_type(dnnl::memory::data_type dtype) {
  for (const auto candidate :
       {c10::ScalarType::Float,
        c10::ScalarType::BFloat16,
        c10::ScalarType::Half,
        c10::ScalarType::Int,
        c10::ScalarType::Char,
        c10::ScalarType::Byte})
    if (data_type(candidate) == dtype)
      return candidate;
  return c10::ScalarType::Undefined;
}

bool supports(c10::ScalarType dtype) {
  switch (dtype) {
    case c10::ScalarType::BFloat16:
      return isa_includes(dnnl::cpu_isa::avx512_core);
    case c10::ScalarType::Half:
      return isa_includes(dnnl::cpu_isa::avx512_core_fp16);
    default:
      return data_type(dtype) != dnnl::memory::data_type::undef;
  }
}

bool has_bfloat16_instructions() {
  return isa_includes(dnnl::cpu_isa::avx512_core_bf16);
}

bool has_int8_instructions() {
  return isa_includes(dnnl::cpu_isa::avx512_core_vnni) || isa_includes(dnnl::cpu_isa::avx2_vnni);
}

bool has_tiles() {
  return isa_includes(dnnl::cpu_isa::avx512_core_amx);
}

bool computes_bfloat16() {
  return has_bfloat16_instructions() ||
      (emulates_bfloat16.load(std::memory_order_relaxed) && supports(c10::ScalarType::BFloat16));
}

void set_bfloat16_emulation(bool emulate) {
  emulates_bfloat16.store(emulate, std::memory_order_relaxed);
}

std::string cpu_isa() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx2_vnni_2:
      return "avx2_vnni_2";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_fp16:
      return "avx512_core_fp16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    case dnnl::cpu_isa::avx512_core_amx_fp16:
      return "avx512_core_amx_fp16";
    default: // isa_default, or a set that is newer than the headers
      return "default";
  }
}

std::string runtime_version() {
  const dnnl_version_t* version = dnnl_version();
  return c10::str(version->major, ".", version->minor, ".", version->patch);
}

} // namespace ipex::onednn
