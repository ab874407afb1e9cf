// Products of so few numbers that calling a oneDNN primitive would cost more than computing.
#pragma once

#include <cstdint>

namespace ipex::ops {

// Multiplications up to which small_product is the faster way.
constexpr int64_t kSmallProduct = 16384;

struct SmallProduct {
  const float* src; // [rows, in], elements of a row adjacent
  const float* weights; // [in, out], elements of a row or of a column adjacent
  const float* bias; // [out] or null
  float* dst; // [rows, out], adjacent
  int64_t rows;
  int64_t in;
  int64_t out;
  int64_t src_stride; // from row to row
  int64_t weights_stride; // from row to row, or from column to column
};

// dst = src x weights + bias for weights with adjacent columns, as those of linear are.
void small_product_of_columns(const SmallProduct& p);

// The same for weights with adjacent rows.
void small_product_of_rows(const SmallProduct& p);

} // namespace ipex::ops
