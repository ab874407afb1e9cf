// Calls of native kernels under a recipe.
//
//   Call<Op, Signature>::applies(args...)  whether the call has an entry: a property of its arguments alone
//   Call<Op, Signature>::run(kernel, args...)
//     calibration  runs the kernel as it is, and looks at what it reads and makes
//     inference    an entry that is `quantized`: runs the kernel in a Turn, and says how its result is due to be rounded
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "amp/call.h"
#include "aten/operator_name.h"
#include "int8/observe.h"
#include "int8/run.h"
#include "int8/turn.h"

namespace ipex::int8 {

// Whether `tensor` can be an activation.
inline bool is_activation(const at::Tensor& tensor) {
  return amp::is_wide(tensor) && tensor.dim() > 0 && tensor.numel() > 0;
}

// Whether a call has an entry, beyond what its kind says.
template <class Op>
struct Accepts {
  template <class... Args>
  static bool accepts(const Args&...) {
    return true;
  }
};

template <>
struct Accepts<at::_ops::convolution> {
  static bool accepts(
      const at::Tensor&,
      const at::Tensor&,
      const std::optional<at::Tensor>&,
      c10::IntArrayRef,
      c10::IntArrayRef,
      c10::IntArrayRef,
      bool transposed,
      c10::IntArrayRef,
      int64_t) {
    return !transposed;
  }
};

template <>
struct Accepts<at::_ops::native_batch_norm> {
  template <class... Args>
  static bool accepts(const Args&... args) {
    return !std::get<5>(std::forward_as_tuple(args...)); // training
  }
};

// The mean over all of an image.
template <>
struct Accepts<at::_ops::mean_dim> {
  static bool accepts(
      const at::Tensor& self,
      at::OptionalIntArrayRef dim,
      bool keepdim,
      const std::optional<at::ScalarType>& dtype) {
    const int64_t rank = self.dim();
    if (!keepdim || dtype || !dim || rank < 4 || rank > 5 || static_cast<int64_t>(dim->size()) != rank - 2)
      return false;
    std::vector<bool> is_spatial(rank);
    for (const int64_t given : *dim)
      if (given >= -rank && given < rank)
        is_spatial[given < 0 ? given + rank : given] = true;
    return !is_spatial[0] && !is_spatial[1] && std::count(is_spatial.begin(), is_spatial.end(), true) == rank - 2;
  }
};

template <class Op, class Signature_>
struct Call;

template <class Op, class Result, class... Args>
struct Call<Op, Result(Args...)> {
  static constexpr const Kind& kind = kKind<Op>;
  static constexpr bool in_place = std::is_same_v<Result, at::Tensor&>;

  static bool applies(const Args&... args) {
    if (detail::run->recipe->is_legacy && !kind.is_legacy && detail::run->part == 0)
      return false;
    const auto tensors = inputs(args...);
    if (tensors.empty() || !std::all_of(tensors.begin(), tensors.end(), is_activation))
      return false;
    if (kind.role == Role::kJoin && kind.inputs == 2 && !fit(tensors[0], tensors[1]))
      return false;
    return Accepts<Op>::accepts(args...);
  }

  template <class Kernel>
  static Result run(Run& run, Kernel kernel, Args... args) {
    const auto tensors = inputs(args...);
    const at::Tensor weight = weight_of(args...);
    if (run.calibrates)
      look_at_last(run, /*although_held=*/false);
    const Place place = next_entry(run, kind, signature(run, tensors.front(), weight), weight, tensors.size());
    const Inside inside(run);
    return run.calibrates ? calibrate(run, place, tensors, kernel, std::forward<Args>(args)...)
                          : infer(*run.recipe, place.position, kernel, std::forward<Args>(args)...);
  }

 private:
  // While it lives, what the operator calls has no entries.
  class Inside {
   public:
    explicit Inside(Run& run) : run_(run) {
      run.is_inside = true;
    }
    ~Inside() {
      run_.is_inside = false;
    }

   private:
    Run& run_;
  };

  template <class Kernel>
  static Result calibrate(
      Run& run,
      const Place& place,
      const std::vector<at::Tensor>& tensors,
      Kernel kernel,
      Args... args) {
    Observation observation(run, place, tensors);
    if constexpr (in_place) {
      Result result = kernel(std::forward<Args>(args)...);
      observation.finish(result);
      return result;
    } else {
      Result result = kernel(std::forward<Args>(args)...);
      observation.finish(first(result));
      return result;
    }
  }

  template <class Kernel>
  static Result infer(Recipe& recipe, size_t position, Kernel kernel, Args... args) {
    const Plan plan(recipe, position);
    if constexpr (in_place) {
      Result result = plan.run([&]() -> Result { return kernel(std::forward<Args>(args)...); });
      plan.finish(result, /*is_fresh=*/false);
      return result;
    } else {
      Result result = plan.run([&] { return kernel(std::forward<Args>(args)...); });
      plan.finish(first(result), /*is_fresh=*/true);
      return result;
    }
  }

  static const at::Tensor& first(const at::Tensor& result) {
    return result;
  }
  template <class... Tensors>
  static const at::Tensor& first(const std::tuple<Tensors...>& results) {
    return std::get<0>(results);
  }

  // The activations among the arguments; none when one is not on ipex.
  static std::vector<at::Tensor> inputs(const Args&... args) {
    std::vector<at::Tensor> tensors;
    int argument = 0;
    const auto add = [&](const auto& arg) {
      if (argument++ < std::max(kind.inputs, 1))
        amp::each_tensor(arg, [&](const at::Tensor& tensor) { tensors.push_back(tensor); });
    };
    (add(args), ...);
    return tensors;
  }

  // Whether two activations are of one size, or one is a value per channel of each sample.
  static bool fit(const at::Tensor& a, const at::Tensor& b) {
    if (a.sizes() == b.sizes())
      return true;
    if (a.dim() != b.dim() || a.dim() < 3)
      return false;
    for (int64_t dim = 0; dim < a.dim(); ++dim)
      if (a.size(dim) != b.size(dim) && (dim < 2 || (a.size(dim) != 1 && b.size(dim) != 1)))
        return false;
    return true;
  }

  static at::Tensor weight_of(const Args&... args) {
    at::Tensor weight;
    if constexpr (kind.has_weight)
      amp::each_tensor(std::get<1>(std::forward_as_tuple(args...)), [&](const at::Tensor& tensor) { weight = tensor; });
    return weight;
  }

  static Signature signature(const Run& run, const at::Tensor& input, const at::Tensor& weight) {
    static const std::string op = full_name<Op>();
    Signature made{std::string(kind.name), op, run.knows_modules ? run.module : std::nullopt, {}};
    if constexpr (std::is_same_v<Op, at::_ops::mean_dim>)
      if (input.dim() == 5)
        made.name = "AdaptiveAvgPool3d";
    if (weight.defined())
      made.weight_shape = weight.sizes().vec();
    return made;
  }
};

} // namespace ipex::int8
