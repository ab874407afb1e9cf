// The table of functions.
#include "custom_ops/post_op.h"

#include <ATen/ATen.h>

#include "core/check.h"

namespace ipex::custom_ops {

namespace {

struct Row {
  std::string_view name;
  void (*in_place)(at::Tensor&);
  at::Tensor (*out_of_place)(const at::Tensor&);
};

// clang-format off
#define IPEX_ROW(name, function, ...)                                              \
  {name, [](at::Tensor& t) { at::function##_(t __VA_OPT__(, ) __VA_ARGS__); },    \
   [](const at::Tensor& t) { return at::function(t __VA_OPT__(, ) __VA_ARGS__); }}
// clang-format on
constexpr Row kRows[] = {
    IPEX_ROW("elu", elu),
    IPEX_ROW("gelu", gelu),
    IPEX_ROW("gelu_tanh", gelu, "tanh"),
    IPEX_ROW("hardsigmoid", hardsigmoid),
    IPEX_ROW("hardswish", hardswish),
    IPEX_ROW("leaky_relu", leaky_relu),
    IPEX_ROW("mish", mish),
    IPEX_ROW("relu", relu),
    IPEX_ROW("relu6", hardtanh, 0, 6),
    IPEX_ROW("sigmoid", sigmoid),
    IPEX_ROW("silu", silu),
    IPEX_ROW("tanh", tanh),
};
#undef IPEX_ROW

const Row& find(std::string_view op, std::string_view name) {
  for (const Row& row : kRows)
    if (row.name == name)
      return row;
  std::string accepted;
  for (const Row& row : kRows)
    accepted.append(", ").append(row.name);
  raise(ErrorCode::E103, op, c10::str("got post_op='", name, "'; accepted: ''", accepted));
}

} // namespace

void apply(std::string_view op, at::Tensor& tensor, const at::Tensor& other, std::string_view post_op) {
  const Row* row = post_op.empty() ? nullptr : &find(op, post_op);
  if (other.defined())
    tensor.add_(other);
  if (row != nullptr)
    row->in_place(tensor);
}

at::Tensor applied(std::string_view op, at::Tensor tensor, const at::Tensor& other, std::string_view post_op) {
  const Row* row = post_op.empty() ? nullptr : &find(op, post_op);
  if (other.defined())
    tensor = tensor.add(other.expand_as(tensor)).to(tensor.scalar_type());
  return row == nullptr ? tensor : row->out_of_place(tensor);
}

} // namespace ipex::custom_ops
