// find(spec): the compiled primitive for a plain description of it, from a cache that all threads share.
//
// A spec is a struct of plain bytes that says everything about a primitive:
//
//   struct SoftmaxForward {
//     static constexpr const char* kName = "softmax";
//     dnnl::algorithm algorithm;
//     Layout rows;
//     dnnl::primitive_desc_base describe(const dnnl::engine&, const dnnl::primitive_attr&) const;
//   };
//
// The bytes are the key, and describe() is a member that sees nothing else, so a key cannot miss something that the
// primitive depends on. Thread count is the one thing that oneDNN takes from its surroundings, and find() adds it. (The
// instruction set cannot change once a kernel exists, and attributes are built here instead of from global defaults.)
#pragma once

#include <c10/util/FunctionRef.h>

#include <bit>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "core/visibility.h"
#include "onednn/primitive.h"

namespace ipex::onednn {

// A float inside a spec: compared by its bits, as the rest of the key.
struct FloatBits {
  uint32_t bits;
  constexpr FloatBits(double value) : bits(std::bit_cast<uint32_t>(static_cast<float>(value))) {}
  constexpr operator float() const {
    return std::bit_cast<float>(bits);
  }
};

struct PrimitiveCacheStatistics {
  int64_t hits = 0;
  int64_t misses = 0;
  int64_t size = 0;
  int64_t capacity = 0;
  int64_t lasting = 0; // primitives made so far whose code oneDNN never frees
};

IPEX_API PrimitiveCacheStatistics primitive_cache_statistics();

// Bounds the number of primitives; what exceeds it is dropped, least recently used first. Zero turns the cache off.
IPEX_API void set_primitive_cache_capacity(int64_t capacity);

// oneDNN 3.2 never frees the code of some primitives (16 to 34 KB each), which say so by a member `lasts()` of their spec.
// When so many have been made, which is said once, find() knows no more of them: their users have another way. 4096, that
// is 100 MB, at first.
IPEX_API void set_most_lasting_primitives(int64_t count);

namespace detail {

struct SpecBytes {
  const void* type; // one address per spec type
  const char* name;
  const void* data;
  size_t size;
  bool accept_reference; // whether oneDNN's unoptimised code will do
  bool lasts; // whether oneDNN never frees its code
};

using Describe = c10::function_ref<dnnl::primitive_desc_base(const dnnl::engine&, const dnnl::primitive_attr&)>;

std::shared_ptr<const Primitive> find(const SpecBytes& spec, Describe describe);

template <class Spec>
inline constexpr char kTypeTag = 0;

template <class Spec>
std::shared_ptr<const Primitive> find(const Spec& spec, bool accept_reference) {
  static_assert(std::has_unique_object_representations_v<Spec>, "padding and floats have no place in a key");
  bool lasts = false;
  if constexpr (requires { spec.lasts(); })
    lasts = spec.lasts();
  return find(
      {&kTypeTag<Spec>, Spec::kName, &spec, sizeof(Spec), accept_reference, lasts},
      [&](const dnnl::engine& engine, const dnnl::primitive_attr& attributes) -> dnnl::primitive_desc_base {
        return spec.describe(engine, attributes);
      });
}

} // namespace detail

// The primitive that `spec` describes, or null when oneDNN has no kernel for it worth calling (both are remembered).
// Throws E301 when oneDNN fails. A hit costs about a tenth of a microsecond.
template <class Spec>
std::shared_ptr<const Primitive> find(const Spec& spec) {
  return detail::find(spec, /*accept_reference=*/false);
}

// The same when any kernel will do: for layout changes, where there is nobody else to ask.
template <class Spec>
std::shared_ptr<const Primitive> find_any(const Spec& spec) {
  return detail::find(spec, /*accept_reference=*/true);
}

} // namespace ipex::onednn
