// Feeds statistics, and marks results.
#include "int8/observe.h"

#include "core/check.h"
#include "forms/operand.h"
#include "forms/quantized.h"
#include "fusion/open_primitive.h"

namespace ipex::int8 {

namespace {

// Adds the values of `tensor` to `statistics`: now or, when they are open, when they are computed.
void look(Recipe& recipe, const std::shared_ptr<Statistics>& statistics, const at::Tensor& tensor) {
  const auto add = [recipe = recipe.shared_from_this(), statistics](const float* values, const onednn::Layout& layout) {
    const std::lock_guard lock(recipe->mutex);
    statistics->add(values, layout.elements());
  };
  if (fusion::observe(tensor, add))
    return;
  forms::Operand operand = forms::read(tensor);
  if (!operand.dense())
    operand = forms::copy(operand, forms::row_major_strides(operand.sizes()));
  add(static_cast<const float*>(operand.data), operand.layout);
}

// An entry that may be gone, when somebody replaced the recipe meanwhile.
Entry& entry_at(Recipe& recipe, size_t position) {
  IPEX_CHECK(
      position < recipe.entries.size(),
      E402,
      "AutoMixPrecision",
      "the recipe was replaced while a program runs under it");
  return recipe.entries[position];
}

} // namespace

Observation::Observation(Run& run, const Place& place, const std::vector<at::Tensor>& inputs)
    : run_(run),
      place_(place) {
  Recipe& recipe = *run.recipe;
  std::vector<std::shared_ptr<Statistics>> statistics;
  std::vector<forms::Origin> origins; // asked for first: whoever computes values locks their form, then the recipe
  for (const at::Tensor& input : inputs)
    origins.push_back(forms::origin(input));
  {
    const std::lock_guard lock(recipe.mutex);
    Entry& entry = entry_at(recipe, place.position);
    output_statistics_ = entry.output_statistics.front();
    if (!place.is_begin)
      return;
    statistics = entry.input_statistics;
    for (size_t i = 0; i < inputs.size() && i < entry.sources.size(); ++i)
      entry.sources[i] = origins[i].recipe == &recipe ? origins[i].entry : -1;
  }
  for (size_t i = 0; i < inputs.size() && i < statistics.size(); ++i)
    look(recipe, statistics[i], inputs[i]);
}

void Observation::finish(const at::Tensor& result) {
  Recipe& recipe = *run_.recipe;
  if (place_.is_end)
    look(recipe, output_statistics_, result);
  forms::set_origin(result, {&recipe, static_cast<int64_t>(place_.position)});
  run_.last = result.storage();
}

Plan::Plan(Recipe& recipe, size_t position) {
  const std::lock_guard lock(recipe.mutex);
  const Entry& entry = entry_at(recipe, position);
  quantized_ = entry.quantized;
  per_channel_ = entry.per_channel;
  inputs_ = entry.inputs;
  output_ = entry.outputs.front();
}

void Plan::finish(const at::Tensor& result, bool is_fresh) const {
  forms::set_due(result, quantized_ ? std::optional(output_) : std::nullopt, is_fresh);
}

} // namespace ipex::int8
