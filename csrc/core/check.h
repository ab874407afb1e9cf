// User errors: one macro that formats `[operator] CODE message` and throws the class that the error table gives.
//
// The table is torch_ipex_device/core/errors.py. Internal faults use TORCH_INTERNAL_ASSERT instead.
#pragma once

#include <c10/util/Exception.h>

#include <string>
#include <string_view>

#include "core/visibility.h"

namespace ipex {

enum class ErrorCode {
#define IPEX_ERROR_CODE(code, c10_class) code,
#include "core/error_codes.inc"
#undef IPEX_ERROR_CODE
};

// Throws the c10 exception that belongs to `code`, with the text `[where] CODE message`.
[[noreturn]] IPEX_API void raise(ErrorCode code, std::string_view where, const std::string& message);

// The code named `name` ("E101"); throws std::out_of_range for a name that the table does not hold.
IPEX_API ErrorCode error_code(const std::string& name);

} // namespace ipex

#define IPEX_CHECK(condition, code, where, ...)                               \
  do {                                                                        \
    if (C10_UNLIKELY(!(condition)))                                           \
      ::ipex::raise(::ipex::ErrorCode::code, where, ::c10::str(__VA_ARGS__)); \
  } while (false)
