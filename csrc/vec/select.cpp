// Chooses the tables of functions for the instruction set of this machine.
#include <dnnl.hpp>

#include "vec/bytes.h"
#include "vec/functions.h"
#include "vec/rows.h"

namespace ipex::vec {

extern const Functions functions_DEFAULT, functions_AVX2, functions_AVX512;
extern const RowFunctions rows_DEFAULT, rows_AVX2, rows_AVX512;
extern const ByteTables bytes_DEFAULT, bytes_AVX2, bytes_AVX512;

namespace {

template <class Table>
const Table& choose(const Table& plain, const Table& avx2, const Table& avx512) {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto has = [&](dnnl::cpu_isa required) {
    return (isa & static_cast<unsigned>(required)) == static_cast<unsigned>(required);
  };
  return has(dnnl::cpu_isa::avx512_core) ? avx512 : has(dnnl::cpu_isa::avx2) ? avx2 : plain;
}

} // namespace

const Functions& functions() {
  static const Functions& chosen = choose(functions_DEFAULT, functions_AVX2, functions_AVX512);
  return chosen;
}

const RowFunctions& row_functions() {
  static const RowFunctions& chosen = choose(rows_DEFAULT, rows_AVX2, rows_AVX512);
  return chosen;
}

const ByteTables& byte_tables() {
  static const ByteTables& chosen = choose(bytes_DEFAULT, bytes_AVX2, bytes_AVX512);
  return chosen;
}

} // namespace ipex::vec
