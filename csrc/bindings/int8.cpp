// Binds INT8 recipes and what threads do under them.
#include "bindings/bindings.h"
#include "core/check.h"
#include "fusion/open_primitive.h"
#include "int8/recipe.h"
#include "int8/run.h"

namespace ipex::bindings {

namespace py = pybind11;

namespace {

using forms::Quantization;
using int8::Entry;
using int8::Recipe;
using int8::Run;
using int8::Statistics;

py::dict statistics(const Statistics& values) {
  py::dict result;
  result["updates"] = values.updates;
  result["minimum"] = values.minimum;
  result["maximum"] = values.maximum;
  result["moving_minimum"] = values.moving_minimum;
  result["moving_maximum"] = values.moving_maximum;
  result["nans"] = values.nans;
  result["infinities"] = values.infinities;
  result["histogram"] = py::cast(std::vector<int64_t>(values.histogram.begin(), values.histogram.end()));
  result["range"] = values.range;
  return result;
}

py::list statistics(const std::vector<std::shared_ptr<Statistics>>& all) {
  py::list result;
  for (const auto& values : all)
    result.append(statistics(*values));
  return result;
}

std::vector<std::pair<float, bool>> scales(const std::vector<Quantization>& all) {
  std::vector<std::pair<float, bool>> result;
  for (const Quantization& as : all)
    result.emplace_back(as.scale, as.dtype == dnnl::memory::data_type::u8);
  return result;
}

std::vector<Quantization> quantizations(const py::handle& all) {
  std::vector<Quantization> result;
  for (const auto& [scale, is_unsigned] : all.cast<std::vector<std::pair<float, bool>>>())
    result.push_back({is_unsigned ? dnnl::memory::data_type::u8 : dnnl::memory::data_type::s8, scale});
  TORCH_CHECK(!result.empty(), "an entry without scales");
  return result;
}

py::dict as_dict(const Entry& entry) {
  py::dict result;
  result["name"] = entry.signature.name;
  result["op"] = entry.signature.op;
  result["module"] = py::cast(entry.signature.module);
  result["weight_shape"] = py::cast(entry.signature.weight_shape);
  result["quantized"] = entry.quantized;
  result["per_channel"] = entry.per_channel;
  result["inputs"] = py::cast(scales(entry.inputs));
  result["outputs"] = py::cast(scales(entry.outputs));
  result["sources"] = py::cast(entry.sources);
  result["input_statistics"] = statistics(entry.input_statistics);
  result["output_statistics"] = statistics(entry.output_statistics);
  result["bound"] = entry.has_weights;
  return result;
}

void set(Entry& entry, const py::dict& given) {
  entry.signature.name = given["name"].cast<std::string>();
  entry.signature.op = given["op"].cast<std::string>();
  entry.signature.module = given["module"].cast<std::optional<std::string>>();
  entry.signature.weight_shape = given["weight_shape"].cast<std::optional<std::vector<int64_t>>>();
  entry.quantized = given["quantized"].cast<bool>();
  entry.per_channel = given["per_channel"].cast<bool>();
  entry.inputs = quantizations(given["inputs"]);
  entry.outputs = quantizations(given["outputs"]);
}

void set_entries(Recipe& recipe, const std::vector<py::dict>& all, bool is_legacy) {
  std::vector<Entry> given(all.size());
  for (size_t i = 0; i < all.size(); ++i)
    set(given[i], all[i]);
  const std::lock_guard lock(recipe.mutex);
  recipe.is_legacy = is_legacy;
  recipe.entries.resize(given.size());
  for (size_t i = 0; i < given.size(); ++i) {
    Entry& entry = recipe.entries[i];
    entry.signature = std::move(given[i].signature);
    entry.quantized = given[i].quantized;
    entry.per_channel = given[i].per_channel;
    entry.inputs = std::move(given[i].inputs);
    entry.outputs = std::move(given[i].outputs);
  }
}

py::list entries(Recipe& recipe) {
  fusion::close_all(); // statistics of values that nobody has read yet
  std::vector<Entry> copies; // Python may let other threads run while objects are made
  {
    const std::lock_guard lock(recipe.mutex);
    for (const Entry& entry : recipe.entries) {
      Entry& copy = copies.emplace_back(entry);
      for (auto* side : {&copy.input_statistics, &copy.output_statistics})
        for (auto& values : *side)
          values = std::make_shared<Statistics>(*values);
    }
  }
  py::list result;
  for (const Entry& entry : copies)
    result.append(as_dict(entry));
  return result;
}

// Whether every operator with weights was seen to run with some.
bool is_bound(Recipe& recipe) {
  const std::lock_guard lock(recipe.mutex);
  return std::all_of(recipe.entries.begin(), recipe.entries.end(), [](const Entry& entry) {
    return entry.has_weights || !entry.signature.weight_shape;
  });
}

} // namespace

void init_int8(py::module_& module) {
  py::class_<Recipe, std::shared_ptr<Recipe>>(module, "Int8Recipe")
      .def(py::init([] { return std::make_shared<Recipe>(); }))
      .def(
          "__len__",
          [](Recipe& recipe) {
            const std::lock_guard lock(recipe.mutex);
            return recipe.entries.size();
          })
      .def("entries", &entries)
      .def("set_entries", &set_entries, py::arg("entries"), py::arg("is_legacy"))
      .def_property_readonly("is_bound", &is_bound)
      .def_property_readonly(
          "calibrations",
          [](Recipe& recipe) {
            const std::lock_guard lock(recipe.mutex);
            return recipe.calibrations;
          })
      .def_property_readonly("is_legacy", [](Recipe& recipe) { return recipe.is_legacy.load(); });
  py::class_<Run, std::shared_ptr<Run>>(module, "Int8Run")
      .def(
          py::init([](std::shared_ptr<Recipe> recipe, bool calibrates) {
            auto run = std::make_shared<Run>();
            run->recipe = std::move(recipe);
            const std::lock_guard lock(run->recipe->mutex);
            run->known = run->recipe->entries.size();
            run->calibrates = calibrates;
            return run;
          }),
          py::arg("recipe"),
          py::arg("calibrates"))
      .def_readonly("calibrates", &Run::calibrates)
      .def_readonly("position", &Run::position)
      .def("finish", [](Run& run) { int8::finish(run); })
      .def(
          "begin", [](Run& run, size_t position) { int8::begin_program(run, position); }, py::arg("position"))
      .def(
          "set_module",
          [](Run& run, bool known, std::optional<std::string> path) {
            run.knows_modules = known;
            run.module = std::move(path);
          },
          py::arg("known"),
          py::arg("path"));
  module.def("exchange_int8_run", &int8::exchange_run, py::arg("run"));
  module.def("int8_run", &int8::this_run);
  module.def(
      "set_int8_locator",
      [](py::function locate) {
        // Kept for good: operators may run while the interpreter ends.
        auto* kept = new py::function(std::move(locate));
        int8::set_locator([kept]() -> std::optional<std::string> {
          const py::gil_scoped_acquire gil;
          return (*kept)().cast<std::optional<std::string>>();
        });
      },
      py::arg("locate"));
}

} // namespace ipex::bindings
