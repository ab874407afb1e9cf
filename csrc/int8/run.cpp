// Matches operators with entries.
#include "int8/run.h"

#include <torch/csrc/autograd/function.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/check.h"
#include "int8/turn.h"

namespace ipex::int8 {

namespace detail {
thread_local constinit Run* run = nullptr;
thread_local constinit const Turn* turn = nullptr;
} // namespace detail

namespace {

thread_local std::shared_ptr<Run> own_run; // what detail::run points to

// Names of the archived extension for operators that it ran as one, and the operators after the first.
struct Compound {
  std::string_view name, head;
  std::array<std::string_view, 2> parts;
};

constexpr Compound kCompounds[] = {
    {"Convolution_Relu", "Convolution", {"Relu", ""}},
    {"Convolution_Sum", "Convolution", {"Add", ""}},
    {"Convolution_Sum_Relu", "Convolution", {"Add", "Relu"}},
    {"LinearFuseEltwise", "Linear", {"Eltwise", ""}},
};

const Compound* compound(const std::string& name) {
  const auto* found = std::find_if(
      std::begin(kCompounds), std::end(kCompounds), [&](const Compound& row) { return row.name == name; });
  return found == std::end(kCompounds) ? nullptr : found;
}

bool is_part(std::string_view part, std::string_view name) {
  if (!name.empty() && name.back() == '_')
    name.remove_suffix(1);
  return part == name || (part == "Eltwise" && (name == "Relu" || name == "Gelu"));
}

bool is_head(const Signature& wanted, const Signature& got) {
  if (wanted.name == got.name)
    return true;
  const Compound* row = compound(wanted.name);
  return row != nullptr && row->head == got.name;
}

bool fits(const Signature& wanted, const Signature& got) {
  return is_head(wanted, got) && (!wanted.module || !got.module || wanted.module == got.module) &&
      (!wanted.weight_shape || !got.weight_shape || wanted.weight_shape == got.weight_shape);
}

c10::intrusive_ptr<c10::StorageImpl> storage_of(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.has_storage())
    return {};
  return c10::intrusive_ptr<c10::StorageImpl>::reclaim_copy(tensor.storage().unsafeGetStorageImpl());
}

bool reads(const Entry& entry, const c10::intrusive_ptr<c10::StorageImpl>& weights) {
  return entry.has_weights && weights && entry.weights._unsafe_get_target() == weights.get();
}

[[noreturn]] void raise_mismatch(Run& run, size_t position, const Signature& wanted, const Signature& got) {
  run.position = run.part = 0;
  raise(
      ErrorCode::E402,
      "AutoMixPrecision",
      c10::str(
          "entry ",
          position,
          " of the recipe is ",
          text(wanted),
          ", the program runs ",
          text(got),
          "; accepted: the operators of calibration, in their order"));
}

} // namespace

Run* running() {
  Run* found = detail::run;
  return found == nullptr || found->is_inside || torch::autograd::get_current_node() != nullptr ? nullptr : found;
}

std::shared_ptr<Run> exchange_run(std::shared_ptr<Run> run) {
  detail::run = run.get();
  return std::exchange(own_run, std::move(run));
}

std::shared_ptr<Run> this_run() {
  return own_run;
}

void begin_program(Run& run, size_t position) {
  run.position = position;
  run.part = 0;
  const std::lock_guard lock(run.recipe->mutex);
  if (position < run.recipe->entries.size())
    run.recipe->entries[position].begins = true;
}

size_t next_entry(Run& run, const Kind& kind, const Signature& signature, const at::Tensor& weight, size_t inputs) {
  Recipe& recipe = *run.recipe;
  const std::lock_guard lock(recipe.mutex);
  auto& entries = recipe.entries;
  const auto weights = kind.has_weight ? storage_of(weight) : nullptr;
  if (run.part > 0) { // inside of a compound
    const size_t position = run.position - 1;
    const Compound& row = *compound(entries[position].signature.name);
    for (size_t part = run.part - 1; part < row.parts.size(); ++part)
      if (is_part(row.parts[part], signature.name)) {
        run.part = part + 1 < row.parts.size() && !row.parts[part + 1].empty() ? part + 2 : 0;
        return position;
      }
    run.part = 0; // other operators were part of it, or none
  }
  if (run.calibrates && run.position == entries.size()) {
    Entry made;
    made.signature = signature;
    made.sources.assign(inputs, -1);
    for (size_t i = 0; i < inputs; ++i)
      made.input_statistics.push_back(std::make_shared<Statistics>());
    made.output_statistics.push_back(std::make_shared<Statistics>());
    entries.push_back(std::move(made));
  }
  IPEX_CHECK(
      !entries.empty(), E403, "AutoMixPrecision", "got a recipe without entries; calibrate first, or load a recipe");
  if (run.position >= entries.size())
    run.position = 0; // the program again
  // Other weights than before, which belong to another entry: the program left off somewhere, after an exception, and begins
  // again; or it took another branch.
  const Entry& expected = entries[run.position];
  const bool is_known = expected.has_weights && !expected.weights.expired();
  if (weights && !reads(expected, weights) && (is_known || !fits(expected.signature, signature)) &&
      std::any_of(entries.begin(), entries.end(), [&](const Entry& other) { return reads(other, weights); })) {
    const auto begin = std::find_if(entries.begin(), entries.end(), [&](const Entry& other) {
      return (other.begins || &other == &entries.front()) && reads(other, weights);
    });
    if (begin == entries.end())
      raise_mismatch(run, run.position, expected.signature, signature);
    run.position = begin - entries.begin();
  }
  Entry& entry = entries[run.position];
  if (!fits(entry.signature, signature))
    raise_mismatch(run, run.position, entry.signature, signature);
  if (run.calibrates) {
    if (!entry.signature.module)
      entry.signature.module = signature.module;
    if (!entry.signature.weight_shape)
      entry.signature.weight_shape = signature.weight_shape;
    if (entry.signature.op.empty())
      entry.signature.op = signature.op;
    while (entry.input_statistics.size() < inputs)
      entry.input_statistics.push_back(std::make_shared<Statistics>());
    while (entry.output_statistics.empty())
      entry.output_statistics.push_back(std::make_shared<Statistics>());
    entry.sources.resize(inputs, -1);
  }
  if (weights) {
    entry.weights = c10::weak_intrusive_ptr<c10::StorageImpl>(weights);
    entry.has_weights = true;
  }
  if (compound(entry.signature.name) != nullptr)
    run.part = 1;
  return run.position++;
}

std::string text(const Signature& signature) {
  std::string text = signature.name + " (";
  text += signature.op.empty() ? "any operator" : signature.op;
  if (signature.module)
    text += signature.module->empty() ? ", the module itself" : ", module " + *signature.module;
  if (signature.weight_shape)
    text += c10::str(", weights ", c10::IntArrayRef(*signature.weight_shape));
  return text + ")";
}

} // namespace ipex::int8
