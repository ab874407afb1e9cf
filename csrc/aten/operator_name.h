// The full name of an operator, "aten::add.Tensor".
#pragma once

#include <c10/util/StringUtil.h>

#include <string>

namespace ipex {

// `Op`: a struct of at::_ops.
template <class Op>
std::string full_name() {
  return *Op::overload_name ? c10::str(Op::name, ".", Op::overload_name) : Op::name;
}

} // namespace ipex
