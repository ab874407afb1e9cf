// Finds the program of which a list of entries consists.
#include "int8/fold.h"

#include <algorithm>

#include "fusion/open_primitive.h"

namespace ipex::int8 {

namespace {

struct Range {
  size_t begin, end;
};

bool is_same(const Entry& a, const Entry& b) {
  return a.signature.name == b.signature.name && a.signature.op == b.signature.op &&
      a.signature.weight_shape == b.signature.weight_shape && a.has_weights == b.has_weights &&
      (!a.has_weights || a.weights._unsafe_get_target() == b.weights._unsafe_get_target());
}

// For each entry its place in `program`, if runs of that, one after the other, are all there is; otherwise empty. Runs may
// end early if `may_end_early`, but two do not.
std::vector<size_t> places(const std::deque<Entry>& entries, Range program, bool may_end_early) {
  const size_t length = program.end - program.begin;
  std::vector<size_t> found;
  size_t place = 0, whole = 0;
  for (const Entry& entry : entries) {
    if (place > 0 && may_end_early && !is_same(entry, entries[program.begin + place]))
      place = 0;
    if (!is_same(entry, entries[program.begin + place]))
      return {};
    found.push_back(program.begin + place);
    place = (place + 1) % length;
    whole += place == 0;
  }
  const bool ends = place == 0 || may_end_early;
  return ends && whole >= 2 ? found : std::vector<size_t>{};
}

// The shortest program that explains all entries; whole runs are preferred to interrupted ones.
std::vector<size_t> find(const std::deque<Entry>& entries, size_t first) {
  for (const bool may_end_early : {false, true}) {
    if (first > 0) {
      if (auto found = places(entries, {0, first}, may_end_early); !found.empty())
        return found;
      continue;
    }
    for (size_t length = 1; 2 * length <= entries.size(); ++length) {
      const size_t last = may_end_early ? entries.size() - length : 0;
      for (size_t begin = 0; begin <= last; ++begin) {
        const Range program{begin, begin + length};
        const bool multiplies =
            std::any_of(entries.begin() + program.begin, entries.begin() + program.end, [](const Entry& e) {
              return e.has_weights;
            });
        if (!multiplies || !is_same(entries[begin], entries.front()))
          continue;
        if (auto found = places(entries, program, may_end_early); !found.empty())
          return found;
      }
    }
  }
  return {};
}

// Adds what was seen at `from`, an entry of the same operator, to what was seen at `into` before.
void merge(Entry& into, const Entry& from) {
  const auto add = [](auto& all, const auto& others) {
    for (size_t i = 0; i < all.size() && i < others.size(); ++i)
      all[i]->merge(*others[i]);
  };
  add(into.input_statistics, from.input_statistics);
  add(into.output_statistics, from.output_statistics);
}

bool may_fold(const std::deque<Entry>& entries, size_t first) {
  return entries.size() > first && std::none_of(entries.begin(), entries.end(), [](const Entry& entry) {
           return entry.begins || entry.signature.module;
         });
}

} // namespace

void fold(Recipe& recipe, size_t first) {
  {
    const std::lock_guard lock(recipe.mutex);
    if (!may_fold(recipe.entries, first) || find(recipe.entries, first).empty())
      return;
  }
  fusion::close_all(); // values that are not computed yet go to the statistics that they were promised to
  const std::lock_guard lock(recipe.mutex);
  auto& entries = recipe.entries;
  const auto places = find(entries, first);
  if (places.empty())
    return;
  const size_t begin = *std::min_element(places.begin(), places.end());
  const size_t length = *std::max_element(places.begin(), places.end()) + 1 - begin;
  std::vector<std::optional<Entry>> made(length);
  for (size_t i = 0; i < entries.size(); ++i) {
    auto& entry = made[places[i] - begin];
    if (entry)
      merge(*entry, entries[i]);
    else
      entry = entries[i];
  }
  for (size_t i = 0; i < length; ++i) {
    made[i]->sources = entries[begin + i].sources;
    for (int64_t& source : made[i]->sources)
      source = source < static_cast<int64_t>(begin) ? -1 : source - static_cast<int64_t>(begin);
  }
  ++recipe.calibrations; // who asked for entries before asks again
  entries.clear();
  for (auto& entry : made)
    entries.push_back(std::move(*entry));
}

} // namespace ipex::int8
