// Matches operators with entries.
#include "int8/run.h"

#include <torch/csrc/autograd/function.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/check.h"
#include "forms/form.h"
#include "int8/fold.h"
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
  const auto* found =
      std::find_if(std::begin(kCompounds), std::end(kCompounds), [&](const Compound& row) { return row.name == name; });
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

Locator& locator() {
  static auto* instance = new Locator();
  return *instance;
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

void look_at_last(Run& run, bool although_held) {
  const c10::Storage last = std::exchange(run.last, c10::Storage());
  if (last && (although_held || last.use_count() == 1))
    forms::close(*last.unsafeGetStorageImpl());
}

void finish(Run& run) {
  if (!run.calibrates)
    return;
  try {
    look_at_last(run, /*although_held=*/true);
  } catch (...) {
    fold(*run.recipe, run.known);
    throw;
  }
  fold(*run.recipe, run.known);
}

void begin_program(Run& run, size_t position) {
  look_at_last(run, /*although_held=*/true);
  run.position = position;
  run.part = 0;
  const std::lock_guard lock(run.recipe->mutex);
  if (position < run.recipe->entries.size())
    run.recipe->entries[position].begins = true;
}

void set_locator(Locator made) {
  locator() = std::move(made);
}

namespace {

// The entry of an operator that belongs to the compound entry before; nothing when it is another one's.
std::optional<Place> part_of_compound(Run& run, const Signature& signature) {
  if (run.part == 0)
    return std::nullopt;
  const size_t position = run.position - 1;
  const Compound& row = *compound(run.recipe->entries[position].signature.name);
  for (size_t part = run.part - 1; part < row.parts.size(); ++part)
    if (is_part(row.parts[part], signature.name)) {
      const bool is_end = part + 1 == row.parts.size() || row.parts[part + 1].empty();
      run.part = is_end ? 0 : part + 2;
      return Place{position, /*is_begin=*/false, is_end};
    }
  run.part = 0; // other operators were part of it, or none
  return std::nullopt;
}

void append(Run& run, const Signature& signature, size_t inputs) {
  Entry made;
  made.signature = signature;
  made.sources.assign(inputs, -1);
  for (size_t i = 0; i < inputs; ++i)
    made.input_statistics.push_back(std::make_shared<Statistics>());
  made.output_statistics.push_back(std::make_shared<Statistics>());
  run.recipe->entries.push_back(std::move(made));
}

// What calibration adds to an entry that was read from a file.
void complete(Entry& entry, const Signature& signature, size_t inputs) {
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

using Weights = c10::intrusive_ptr<c10::StorageImpl>;

bool is_known(const Recipe& recipe, const Weights& weights) {
  return std::any_of(
      recipe.entries.begin(), recipe.entries.end(), [&](const Entry& entry) { return reads(entry, weights); });
}

// Other weights than the last time.
bool is_other(const Entry& entry, const Weights& weights) {
  return weights && entry.has_weights && !entry.weights.expired() && !reads(entry, weights);
}

// Remembers the weights of the entry, and of all that shared its former ones: another instance of the layer runs.
void bind(Recipe& recipe, size_t position, const Weights& weights) {
  Entry& bound = recipe.entries[position];
  if (is_other(bound, weights)) {
    const auto before = bound.weights.lock();
    for (Entry& entry : recipe.entries)
      if (reads(entry, before))
        entry.weights = c10::weak_intrusive_ptr<c10::StorageImpl>(weights);
  }
  bound.weights = c10::weak_intrusive_ptr<c10::StorageImpl>(weights);
  bound.has_weights = true;
}

// Weights that belong to another entry: the program left off somewhere, after an exception, and begins again; or it took
// another branch.
void resume(Run& run, const Signature& signature, const Weights& weights) {
  auto& entries = run.recipe->entries;
  const Entry& expected = entries[run.position];
  const bool fits_here = !is_other(expected, weights) && fits(expected.signature, signature);
  if (!weights || reads(expected, weights) || fits_here || !is_known(*run.recipe, weights))
    return;
  const auto begin = std::find_if(entries.begin(), entries.end(), [&](const Entry& other) {
    return (other.begins || &other == &entries.front()) && reads(other, weights);
  });
  if (begin == entries.end())
    raise_mismatch(run, run.position, expected.signature, signature);
  run.position = begin - entries.begin();
}

} // namespace

Place next_entry(Run& run, const Kind& kind, Signature signature, const at::Tensor& weight, size_t inputs) {
  Recipe& recipe = *run.recipe;
  std::unique_lock lock(recipe.mutex);
  auto& entries = recipe.entries;
  const Weights weights = kind.has_weight ? storage_of(weight) : nullptr;
  if (const auto part = part_of_compound(run, signature))
    return *part;
  if (run.calibrates && run.position == entries.size())
    append(run, signature, inputs);
  IPEX_CHECK(
      !entries.empty(), E403, "AutoMixPrecision", "got a recipe without entries; calibrate first, or load a recipe");
  if (run.position >= entries.size())
    run.position = 0; // the program again
  const bool had_others = entries[run.position].has_weights && weights && !is_known(recipe, weights);
  if (had_others && !run.knows_modules && locator()) {
    lock.unlock(); // who asks for entries holds Python's lock
    signature.module = locator()();
    lock.lock();
    if (run.position >= entries.size())
      run.position = 0;
  }
  resume(run, signature, weights);
  Entry& entry = entries[run.position];
  if (!fits(entry.signature, signature))
    raise_mismatch(run, run.position, entry.signature, signature);
  if (run.calibrates) {
    ++recipe.calibrations;
    complete(entry, signature, inputs);
  }
  if (weights)
    bind(recipe, run.position, weights);
  const bool is_compound = compound(entry.signature.name) != nullptr;
  run.part = is_compound ? 1 : 0;
  return {run.position++, /*is_begin=*/true, /*is_end=*/!is_compound};
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
