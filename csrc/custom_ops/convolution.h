// The arguments of torch_ipex::convolution and torch_ipex::convolution_backward as structs, and how they become the lists of
// the schemas and back. The structs view what the caller holds: they copy no tensor and no vector, and last for one call.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/MemoryFormat.h>
#include <c10/core/SymIntArrayRef.h>

#include <array>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace ipex::custom_ops {

using OptionalTensor = std::optional<at::Tensor>;
using SymInts = c10::SymIntArrayRef;

// Members are in the order of the schema, and so is `list` of them.
struct Geometry {
  SymInts stride, padding, dilation;
  bool transposed;
  SymInts output_padding;
  c10::SymInt groups;

  auto list() const {
    return std::tie(stride, padding, dilation, transposed, output_padding, groups);
  }
};

// A batch norm with known statistics, or nothing without `mean`.
struct Norm {
  const OptionalTensor &mean, &var, &weight, &bias;
  double eps;

  auto list() const {
    return std::tie(mean, var, weight, bias, eps);
  }
};

struct Forward {
  using Result = at::Tensor;
  static constexpr const char* kName = "torch_ipex::convolution";

  const at::Tensor &input, &weight;
  const OptionalTensor& bias;
  Geometry geometry;
  const OptionalTensor& other;
  std::string_view post_op;
  Norm norm;

  auto list() const {
    return std::tuple_cat(std::tie(input, weight, bias), geometry.list(), std::tie(other, post_op), norm.list());
  }
};

struct Backward {
  using Result = std::tuple<at::Tensor, at::Tensor, at::Tensor>;
  static constexpr const char* kName = "torch_ipex::convolution_backward";

  const at::Tensor &grad, &input, &weight;
  Geometry geometry;
  std::array<bool, 3> mask;

  auto list() const {
    return std::tuple_cat(std::tie(grad, input, weight), geometry.list(), std::tie(mask));
  }
};

// How the dispatcher passes a T.
template <typename T>
using Passed = std::conditional_t<std::is_same_v<T, at::Tensor> || std::is_same_v<T, OptionalTensor>, const T&, T>;

// The operator whose arguments are the struct `Arguments`.
template <typename Arguments, typename List = decltype(std::declval<Arguments>().list())>
struct Operator;

template <typename Arguments, typename... Ts>
struct Operator<Arguments, std::tuple<const Ts&...>> {
  using Result = typename Arguments::Result;

  // What to register for `implementation`, a function of the struct, or of the keys and the struct. The list initializes the
  // members of members too, in order.
  template <auto implementation>
  static Result kernel(Passed<Ts>... list) {
    return implementation(Arguments{std::forward<Passed<Ts>>(list)...});
  }
  template <auto implementation>
  static Result kernel_with_keys(c10::DispatchKeySet keys, Passed<Ts>... list) {
    return implementation(keys, Arguments{std::forward<Passed<Ts>>(list)...});
  }

  // Calls the operator, or its kernel for `keys`.
  static Result call(const Arguments& arguments, std::optional<c10::DispatchKeySet> keys = std::nullopt) {
    static const auto op =
        c10::Dispatcher::singleton().findSchemaOrThrow(Arguments::kName, "").template typed<Result(Passed<Ts>...)>();
    const auto run = [&](const Ts&... list) { return keys ? op.redispatch(*keys, list...) : op.call(list...); };
    return std::apply(run, arguments.list());
  }
};

// The order of elements of the result, and of the gradient of the input.
at::MemoryFormat format_of(const at::Tensor& input, const at::Tensor& weight);

} // namespace ipex::custom_ops
