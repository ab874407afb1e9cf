// Throws user errors with the exception class that the error table names.
#include "core/check.h"

#include <stdexcept>

namespace ipex {

namespace {

constexpr const char* name_of(ErrorCode code) {
  switch (code) {
#define IPEX_ERROR_CODE(code, c10_class) \
  case ErrorCode::code:                  \
    return #code;
#include "core/error_codes.inc"
#undef IPEX_ERROR_CODE
  }
  return "E???";
}

} // namespace

void raise(ErrorCode code, std::string_view where, const std::string& message) {
  const std::string text = c10::str("[", where, "] ", name_of(code), " ", message);
  const c10::SourceLocation at{__func__, __FILE__, static_cast<uint32_t>(__LINE__)};
  switch (code) {
#define IPEX_ERROR_CODE(code, c10_class) \
  case ErrorCode::code:                  \
    throw c10::c10_class(at, text);
#include "core/error_codes.inc"
#undef IPEX_ERROR_CODE
  }
  throw c10::Error(at, text);
}

ErrorCode error_code(const std::string& name) {
#define IPEX_ERROR_CODE(code, c10_class) \
  if (name == #code)                     \
    return ErrorCode::code;
#include "core/error_codes.inc"
#undef IPEX_ERROR_CODE
  throw std::out_of_range("no error code " + name);
}

} // namespace ipex
