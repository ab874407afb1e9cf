// Kinds: the operators that have an entry in a recipe. The rows are in kinds.inc.
#pragma once

#include <ATen/Operators.h>

#include <string_view>

namespace ipex::int8 {

// What an operator that computes in int8 does.
enum class Role : uint8_t {
  kMultiply, // sums of products with weights: its own arithmetic in int8
  kPool, // takes int8 values as they are
  kFollow, // float32 function of its first input, which joins the operator before it
  kJoin, // the same of several inputs; what it cannot join is taken in int8
};

struct Kind {
  std::string_view name; // of its entries; empty: has none
  Role role = Role::kFollow;
  int inputs = 1; // first arguments that are activations; 0: a list of them
  bool has_weight = false; // the second argument is one
  bool is_legacy = false; // whether the archived extension gave it an entry
};

template <class Op>
inline constexpr Kind kKind{};

#define IPEX_INT8(op, name, role, inputs, has_weight, is_legacy) \
  template <>                                                    \
  inline constexpr Kind kKind<at::_ops::op>{name, Role::role, inputs, has_weight, is_legacy};
#include "int8/kinds.inc"
#undef IPEX_INT8

} // namespace ipex::int8
