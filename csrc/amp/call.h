// Calls of native kernels in the precision that mode and policy say.
//
//   Call<Op, Signature>::in_low_precision(compute, args...)
//     1  decides: policy of Op, mode of the thread or node, operands
//     2  hands `compute` the operands in bfloat16 (forms/narrow.h), except those that are kept
//     3  shows the results as float32
// So a result in low precision is, bit for bit, what the same kernel makes of explicit bfloat16 tensors.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/function.h>

#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "amp/mode.h"
#include "amp/policy.h"
#include "aten/on_device.h"
#include "aten/operator_name.h"
#include "forms/narrow.h"
#include "fusion/rounded.h"
#include "onednn/engine.h"

namespace ipex::amp {

// Calls f(tensor) for every defined tensor among the arguments.
template <class F>
void each_tensor(const at::Tensor& tensor, F f) {
  if (tensor.defined())
    f(tensor);
}
template <class F>
void each_tensor(const std::optional<at::Tensor>& tensor, F f) {
  if (tensor)
    each_tensor(*tensor, f);
}
template <class F>
void each_tensor(const at::ITensorListRef& tensors, F f) {
  for (const at::Tensor& tensor : tensors)
    each_tensor(tensor, f);
}
template <class F>
void each_tensor(at::TensorList tensors, F f) {
  for (const at::Tensor& tensor : tensors)
    each_tensor(tensor, f);
}
template <class NotATensor, class F>
void each_tensor(const NotATensor&, F) {}

// An argument with `convert` applied to its tensors; get() is what a kernel takes.
template <class Arg>
class Converted {
 public:
  template <class F>
  Converted(const std::remove_reference_t<Arg>& arg, F convert) : made_(make(arg, convert)) {}

  decltype(auto) get() {
    if constexpr (is_list)
      return at::ITensorListRef(made_);
    else
      return static_cast<std::conditional_t<std::is_reference_v<Arg>, Arg, Plain>>(made_);
  }

 private:
  using Plain = std::remove_cvref_t<Arg>;
  static constexpr bool is_list = std::is_same_v<Plain, at::ITensorListRef>;
  using Made = std::conditional_t<is_list, std::vector<at::Tensor>, Plain>;

  template <class F>
  static Made make(const Plain& arg, F convert) {
    if constexpr (is_list) {
      std::vector<at::Tensor> tensors;
      for (const at::Tensor& tensor : arg)
        tensors.push_back(convert(tensor));
      return tensors;
    } else if constexpr (std::is_same_v<Plain, at::Tensor>) {
      return arg.defined() ? convert(arg) : arg;
    } else if constexpr (std::is_same_v<Plain, std::optional<at::Tensor>>) {
      return arg && arg->defined() ? std::optional(convert(*arg)) : arg;
    } else {
      return arg;
    }
  }

  Made made_;
};

// convert(tensor, position) for every tensor of a result.
template <class F>
at::Tensor convert_results(at::Tensor result, F convert, size_t position = 0) {
  return result.defined() ? convert(result, position) : result;
}
template <class... Tensors, class F>
std::tuple<Tensors...> convert_results(std::tuple<Tensors...> results, F convert) {
  return [&]<size_t... i>(std::index_sequence<i...>) {
    return std::tuple<Tensors...>(convert_results(std::get<i>(std::move(results)), convert, i)...);
  }(std::index_sequence_for<Tensors...>());
}

// A tensor whose values may be held in bfloat16.
inline bool is_wide(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kFloat && on_device(tensor) && tensor.layout() == at::kStrided &&
      !tensor.is_nested() && tensor.has_storage() && !tensor.is_neg();
}

// `tensor` for a kernel that knows float32 only. In inference the copy is kept: weights, and inputs of several layers, are
// read again.
inline at::Tensor as_wide(const at::Tensor& tensor) {
  if (tensor.scalar_type() != at::kBFloat16 || !on_device(tensor))
    return tensor;
  const bool trains = at::GradMode::is_enabled() || torch::autograd::get_current_node() != nullptr;
  return trains ? forms::wide_copy(tensor) : forms::wide(tensor);
}

// Says once that low precision is slower here.
void note_missing_instructions();

template <class Op, class Signature>
struct Call;

template <class Op, class Result, class... Args>
struct Call<Op, Result(Args...)> {
  static constexpr Policy policy = kPolicy<Op>;
  static constexpr bool in_place = std::is_same_v<Result, at::Tensor&>;

  static bool applies(const Args&... args) {
    static const std::atomic<Precision>& precision = precision_of(full_name<Op>());
    const Precision now = precision.load(std::memory_order_relaxed);
    if (now == Precision::kFloat32 || !current().on())
      return false;
    bool wide = true, all_narrow = true, any = false;
    Positions position = 0;
    const auto look = [&](const auto& arg) {
      const bool is_kept = policy.kept >> position++ & 1;
      each_tensor(arg, [&](const at::Tensor& tensor) {
        if (is_kept || tensor.dim() == 0 || !c10::isFloatingType(tensor.scalar_type()))
          return;
        any = true;
        wide = wide && is_wide(tensor);
        all_narrow = all_narrow && wide && (now == Precision::kLow || forms::is_narrow(tensor));
      });
    };
    (look(args), ...);
    return wide && any && all_narrow;
  }

  template <class Compute>
  static Result in_low_precision(Compute compute, Args... args) {
    const Suspended suspended;
    if constexpr (policy.precision == Precision::kLow)
      note_missing_instructions();
    if constexpr (in_place)
      return write(compute, std::index_sequence_for<Args...>(), args...);
    else
      return make(compute, std::index_sequence_for<Args...>(), args...);
  }

  // Whether the kernel can read some operands as the bfloat16 that they are held in, beside float32 ones.
  static bool mixes(const Args&... args) {
    bool narrow = false, wide = false;
    size_t position = 0;
    const auto look = [&](const auto& arg) {
      const bool is_target = in_place && position++ == 0;
      each_tensor(arg, [&](const at::Tensor& tensor) {
        if (tensor.dim() == 0 || !is_wide(tensor))
          return;
        const bool is_narrow = !is_target && forms::is_only_narrow(tensor);
        narrow = narrow || is_narrow;
        wide = wide || !is_narrow;
      });
    };
    (look(args), ...);
    return narrow && wide;
  }

  template <class Compute>
  static Result in_mixed_precision(Compute compute, Args... args) {
    return [&]<size_t... i>(std::index_sequence<i...>) -> Result {
      std::tuple<Converted<Args>...> operands{Converted<Args>(args, [](const at::Tensor& tensor) {
        const bool is_target = in_place && i == 0;
        const bool reads_narrow = !is_target && tensor.dim() > 0 && is_wide(tensor) && forms::is_only_narrow(tensor);
        return reads_narrow ? forms::narrow(tensor) : tensor;
      })...};
      if constexpr (in_place) {
        std::apply([&](auto&... operand) { compute(operand.get()...); }, operands);
        return const_cast<at::Tensor&>(std::get<0>(std::forward_as_tuple(args...)));
      } else {
        return std::apply([&](auto&... operand) { return compute(operand.get()...); }, operands);
      }
    }(std::index_sequence_for<Args...>());
  }

  // Whether the kernel has to be given float32 instead of bfloat16: operands are bfloat16, those that are kept float32,
  // and no result type is asked for.
  static bool goes_by_way_of_float(const Args&... args) {
    bool any = false, others = true, any_kept = false;
    Positions position = 0;
    const auto look = [&](const auto& arg) {
      const bool is_kept = policy.kept >> position++ & 1;
      each_tensor(arg, [&](const at::Tensor& tensor) {
        if (!c10::isFloatingType(tensor.scalar_type()))
          return;
        any = any || !is_kept;
        any_kept = any_kept || is_kept;
        if (!is_kept)
          others = others && tensor.scalar_type() == at::kBFloat16;
        else
          others = others && (tensor.scalar_type() == at::kFloat || kByWayOfFloat<Op> != ByWayOfFloat::kAlways);
      });
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(arg)>, std::optional<at::ScalarType>>)
        others = others && !arg;
    };
    (look(args), ...);
    if (kByWayOfFloat<Op> == ByWayOfFloat::kAlways)
      return any && others && (policy.kept == 0 || any_kept); // without parameters, statistics would be bfloat16
    return any && others && !onednn::computes_bfloat16();
  }

  // With bfloat16 operands converted to float32 and results converted back. `wide`: results that stay float32.
  template <class Compute>
  static Result by_way_of_float(Compute compute, Positions wide, Args... args) {
    if constexpr (kByWayOfFloat<Op> == ByWayOfFloat::kAlways)
      wide |= policy.wide.always;
    std::tuple<Converted<Args>...> operands{Converted<Args>(args, as_wide)...};
    Result made = std::apply([&](auto&... operand) { return compute(operand.get()...); }, operands);
    return convert_results(std::move(made), [&](const at::Tensor& result, size_t i) {
      if (result.scalar_type() != at::kFloat || (wide >> i & 1))
        return result;
      at::Tensor open = fusion::rounded(result);
      return open.defined() ? open : forms::narrow_copy(result);
    });
  }

 private:
  template <size_t position>
  static at::Tensor operand(const at::Tensor& tensor) {
    const bool is_kept = policy.kept >> position & 1;
    if (!is_wide(tensor) || (is_kept && !forms::is_narrow(tensor)))
      return tensor;
    return forms::narrow(tensor);
  }

  template <class Compute, size_t... i>
  static Result make(Compute compute, std::index_sequence<i...>, const Args&... args) {
    const bool in_backward = policy.wide.in_backward && torch::autograd::get_current_node() != nullptr;
    const Positions wide = policy.wide.always | (in_backward ? policy.wide.in_backward : 0);
    std::tuple<Converted<Args>...> operands{Converted<Args>(args, operand<i>)...};
    Result made = std::apply([&](auto&... operand) { return compute(wide, operand.get()...); }, operands);
    return convert_results(std::move(made), [&](const at::Tensor& result, size_t number) {
      if (result.scalar_type() != at::kBFloat16)
        return result;
      if (wide >> number & 1)
        return forms::wide_copy(result);
      bool is_operand = false;
      std::apply(
          [&](auto&... operand) {
            (each_tensor(
                 operand.get(),
                 [&](const at::Tensor& other) {
                   is_operand = is_operand || other.storage().is_alias_of(result.storage());
                 }),
             ...);
          },
          operands);
      return forms::shown_wide(is_operand ? result.clone() : result);
    });
  }

  template <class Compute, size_t... i>
  static Result write(Compute compute, std::index_sequence<i...>, const Args&... args) {
    const at::Tensor& self = std::get<0>(std::forward_as_tuple(args...));
    const at::Tensor target = forms::is_narrow(self) ? forms::narrow_for_update(self) : at::Tensor();
    std::tuple<Converted<Args>...> operands{Converted<Args>(args, [&](const at::Tensor& tensor) {
      if (!target.defined())
        return tensor; // self stays what it is: float32
      return i == 0 ? target : operand<i>(tensor);
    })...};
    std::apply([&](auto&... operand) { compute(Positions{0}, operand.get()...); }, operands);
    if (target.defined())
      forms::wrote_narrow(self);
    return const_cast<at::Tensor&>(self);
  }
};

} // namespace ipex::amp
