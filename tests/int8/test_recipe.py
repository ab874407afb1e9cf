"""The file of an INT8 recipe: what is read, what is refused in which words, and that writing loses nothing."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import torch_ipex_device
from torch_ipex_device.int8 import Entry, is_legacy, load, save, validate

SCHEMA = json.loads((Path(torch_ipex_device.__file__).parent / "int8" / "recipe.schema.json").read_text())
PROPERTIES = SCHEMA["items"]["properties"]
NAMES = PROPERTIES["name"]["enum"]
ALGORITHMS = PROPERTIES["algorithm"]["enum"]
patient = settings(deadline=None)  # the machine may be busy
FLOAT32_MAX = 3.4028234663852886e38
FLOAT32_TINY = 1.1754943508222875e-38

# As the archived tool wrote it: json.dump(..., indent=4), other order of fields, one scale for each list.
LEGACY = """[
    {
        "id": 0,
        "name": "Convolution_Relu",
        "algorithm": "min_max",
        "weight_granularity": "per_channel",
        "inputs_scale": [
            48.20085906982422
        ],
        "outputs_scale": [
            24.26830291748047
        ],
        "inputs_uint8_used": [
            false
        ],
        "outputs_uint8_used": [
            false
        ],
        "quantized": true
    },
    {
        "id": 1,
        "inputs_scale": [
            24.26830291748047
        ],
        "inputs_uint8_used": [
            false
        ],
        "name": "LinearFuseEltwise",
        "algorithm": "moving_averager_min_max",
        "outputs_scale": [
            13
        ],
        "outputs_uint8_used": [
            true
        ],
        "quantized": false,
        "weight_granularity": "per_channel"
    }
]"""


def entry(**changes):
    """A valid object of the file; a field that is changed to `...` is left out."""
    values = {
        "id": 0,
        "name": "Convolution",
        "algorithm": "min_max",
        "weight_granularity": "per_channel",
        "inputs_scale": [63.5],
        "outputs_scale": [12.75],
        "inputs_uint8_used": [False],
        "outputs_uint8_used": [True],
        "quantized": True,
        "version": 1,
        "op": "aten::convolution",
        "module": "layer1.0.conv1",
        "weight_shape": [64, 3, 7, 7],
        **changes,
    }
    return {key: value for key, value in values.items() if value is not ...}


def refused(data, where="recipe.json"):
    with pytest.raises(ValueError) as caught:
        validate(data, where)
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "recipe.json"


# Reading.


def test_file_of_the_archived_tool_is_read(path):
    path.write_text(LEGACY)
    first, second = load(path)
    assert first == Entry(
        id=0,
        name="Convolution_Relu",
        algorithm="min_max",
        weight_granularity="per_channel",
        inputs_scale=[48.20085906982422],
        outputs_scale=[24.26830291748047],
        inputs_uint8_used=[False],
        outputs_uint8_used=[False],
        quantized=True,
        version=None,
    )
    assert (second.id, second.name, second.quantized) == (1, "LinearFuseEltwise", False)
    assert second.outputs_scale == [13.0] and type(second.outputs_scale[0]) is float
    assert (second.op, second.module, second.weight_shape, second.extras) == (None, None, None, {})
    assert second.outputs_uint8_used == [True]


def test_file_of_the_archived_tool_is_written_with_the_same_content(path):
    path.write_text(LEGACY)
    save(path, load(path))
    assert json.loads(path.read_text()) == json.loads(LEGACY)
    assert is_legacy(load(path))


def test_a_version_in_any_entry_makes_a_recipe_one_of_ours():
    assert not is_legacy(validate([entry(version=...), entry(id=1)], "test"))
    assert is_legacy(validate([entry(version=...), entry(id=1, version=...)], "test"))
    assert validate([entry()], "test")[0].version == 1


def test_ids_may_be_missing():
    assert [found.id for found in validate([entry(id=...), entry(id=1), entry(id=...)], "test")] == [0, 1, 2]


def test_byte_order_mark_is_skipped(path):
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps([entry()]).encode("utf-8"))
    assert load(path)[0].module == "layer1.0.conv1"


def test_empty_list_is_a_recipe(path):
    save(path, [])
    assert (path.read_text(), load(path)) == ("[]\n", [])


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_schema_is_accepted(name):
    assert validate([entry(name=name)], "test")[0].name == name


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_of_the_schema_is_accepted(algorithm):
    assert validate([entry(algorithm=algorithm)], "test")[0].percentile == 99.99


@pytest.mark.parametrize("scale", [FLOAT32_TINY, FLOAT32_MAX, 1, 63.5])
def test_every_normal_float32_number_is_a_scale(scale):
    assert validate([entry(inputs_scale=[scale])], "test")[0].inputs_scale == [float(scale)]


@pytest.mark.parametrize(
    ("name", "inputs"), [("Add", 1), ("Add", 2), ("Mul_", 2), ("Cat", 1), ("Cat", 33), ("Convolution_Sum", 1)]
)
def test_number_of_inputs_depends_on_the_name(name, inputs):
    found = validate([entry(name=name, inputs_scale=[2.0] * inputs, inputs_uint8_used=[True] * inputs)], "test")
    assert len(found[0].inputs_scale) == inputs


def test_null_is_as_good_as_a_missing_field():
    (found,) = validate([entry(op=None, module=None, weight_shape=None)], "test")
    assert (found.op, found.module, found.weight_shape) == (None, None, None)


def test_whole_numbers_written_as_floats_become_integers():
    (found,) = validate([entry(id=0.0, version=1.0, weight_shape=[4.0, 2])], "test")
    assert [type(value) for value in (found.id, found.version, *found.weight_shape)] == [int] * 4


def test_entries_share_no_list_with_the_data():
    data = [entry()]
    (found,) = validate(data, "test")
    found.inputs_scale[0], found.outputs_uint8_used[0], found.weight_shape[0] = 1.0, False, 1
    assert data == [entry()]


# What is refused. Every row: a change of the second of two entries, and the words about it.

LIST_OF_INPUTS = PROPERTIES["inputs_scale"]["description"]
ONE_NUMBER = "a list of one number from 1.2e-38 to 3.4e38"
REFUSED = [
    *(({field: ...}, f"{field}: missing; accepted: ") for field in SCHEMA["items"]["required"]),
    ({"id": 5}, "id: got 5 at position 1; accepted: the position of the entry in the list, from 0; entries stand in"),
    ({"id": 0}, "id: got 0 at position 1; accepted: the position of the entry"),
    ({"id": -1}, "id: got -1; accepted: the position of the entry"),
    ({"id": True}, "id: got True; accepted: the position of the entry"),
    ({"id": "1"}, "id: got '1'; accepted: the position of the entry"),
    ({"id": 1.5}, "id: got 1.5; accepted: the position of the entry"),
    ({"id": None}, "id: got None; accepted: the position of the entry"),
    ({"name": "Softmax"}, "name: got 'Softmax'; accepted: Convolution, Convolution_Relu, Convolution_Sum, "),
    ({"name": "convolution"}, "name: got 'convolution'; accepted: Convolution, "),
    ({"name": 3}, "name: got 3; accepted: Convolution, "),
    ({"algorithm": "max"}, f"algorithm: got 'max'; accepted: {', '.join(ALGORITHMS)}"),
    ({"algorithm": None}, f"algorithm: got None; accepted: {', '.join(ALGORITHMS)}"),
    ({"weight_granularity": "row"}, "weight_granularity: got 'row'; accepted: per_channel, per_tensor"),
    ({"inputs_scale": 2.0}, f"inputs_scale: got 2.0; accepted: {LIST_OF_INPUTS}"),
    ({"inputs_scale": []}, f"inputs_scale: got []; accepted: {LIST_OF_INPUTS}"),
    ({"inputs_scale": [0]}, f"inputs_scale[0]: got 0; accepted: {LIST_OF_INPUTS}"),
    ({"inputs_scale": [-3.5]}, f"inputs_scale[0]: got -3.5; accepted: {LIST_OF_INPUTS}"),
    ({"inputs_scale": ["2"]}, f"inputs_scale[0]: got '2'; accepted: {LIST_OF_INPUTS}"),
    ({"inputs_scale": [True]}, f"inputs_scale[0]: got True; accepted: {LIST_OF_INPUTS}"),
    ({"inputs_scale": [None]}, f"inputs_scale[0]: got None; accepted: {LIST_OF_INPUTS}"),
    ({"inputs_scale": [1e-39]}, f"inputs_scale[0]: got 1e-39; accepted: {LIST_OF_INPUTS}"),
    ({"inputs_scale": [1e39]}, f"inputs_scale[0]: got 1e+39; accepted: {LIST_OF_INPUTS}"),
    ({"inputs_scale": [10**400]}, "inputs_scale[0]: got 1000000"),
    ({"inputs_scale": [float("nan")]}, f"inputs_scale[0]: got nan; accepted: {LIST_OF_INPUTS}"),
    ({"inputs_scale": [1.0, 2.0], "inputs_uint8_used": [True] * 2}, "inputs_scale: got [1.0, 2.0]; accepted: "),
    ({"name": "Add", "inputs_scale": [1.0] * 3, "inputs_uint8_used": [True] * 3}, "inputs_scale: got [1.0, 1.0, 1.0]"),
    (
        {"name": "Add", "inputs_scale": [1.0] * 2},
        "inputs_uint8_used: got 1 of them beside 2 of inputs_scale; accepted:",
    ),
    ({"name": "Cat", "inputs_uint8_used": [True] * 3}, "inputs_uint8_used: got 3 of them beside 1 of inputs_scale"),
    ({"outputs_scale": [1.0, 2.0]}, f"outputs_scale: got [1.0, 2.0]; accepted: {ONE_NUMBER}"),
    ({"outputs_scale": []}, f"outputs_scale: got []; accepted: {ONE_NUMBER}"),
    ({"outputs_scale": [float("inf")]}, f"outputs_scale[0]: got inf; accepted: {ONE_NUMBER}"),
    ({"outputs_scale": {"0": 1.0}}, "outputs_scale: got {'0': 1.0}; accepted: "),
    ({"inputs_uint8_used": []}, "inputs_uint8_used: got []; accepted: a list of true and false"),
    ({"inputs_uint8_used": [0]}, "inputs_uint8_used[0]: got 0; accepted: a list of true and false"),
    ({"inputs_uint8_used": True}, "inputs_uint8_used: got True; accepted: a list of true and false"),
    ({"outputs_uint8_used": ["yes"]}, "outputs_uint8_used[0]: got 'yes'; accepted: a list of one true or false"),
    ({"outputs_uint8_used": [True, False]}, "outputs_uint8_used: got [True, False]; accepted: a list of one"),
    ({"quantized": 1}, "quantized: got 1; accepted: true or false"),
    ({"quantized": "true"}, "quantized: got 'true'; accepted: true or false"),
    ({"version": 2}, "version: got 2; accepted: 1, the version of this format"),
    ({"version": None}, "version: got None; accepted: 1, the version of this format"),
    ({"version": True}, "version: got True; accepted: 1, the version of this format"),
    ({"op": 1}, "op: got 1; accepted: the name of the operator in PyTorch"),
    ({"module": ["layer1"]}, "module: got ['layer1']; accepted: the dotted path of the module"),
    ({"weight_shape": 64}, "weight_shape: got 64; accepted: a list of integers"),
    ({"weight_shape": [64, -1]}, "weight_shape[1]: got -1; accepted: a list of integers"),
    ({"weight_shape": [64, 1.5]}, "weight_shape[1]: got 1.5; accepted: a list of integers"),
    ({"percentile": 99.0}, "percentile: got 99.0; accepted: a number above 0, at most 100; only with the algorithm"),
    ({"algorithm": "percentile", "percentile": 0}, "percentile: got 0; accepted: a number above 0, at most 100"),
    ({"algorithm": "percentile", "percentile": 101}, "percentile: got 101; accepted: a number above 0, at most 100"),
    ({"algorithm": "percentile", "percentile": "99"}, "percentile: got '99'; accepted: a number above 0"),
    ({"note": [1.0, {"a": float("nan")}]}, "note[1][a]: got nan; accepted: finite numbers, and each field once"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=[words[:40] for _, words in REFUSED])
def test_broken_field_is_named_with_its_value_and_what_is_accepted(changes, words):
    text = refused([entry(), entry(**{"id": 1, "name": "Linear", **changes})])
    name = {"name": "Linear", **changes}["name"]
    place = f"entry 1 ({name})" if name in NAMES else "entry 1"
    assert text.startswith(f"[recipe.json] E401 {place}, field {words}"), text


def test_every_field_of_an_entry_has_a_broken_row():
    assert {words.split(":")[0].split("[")[0] for _, words in REFUSED} == {*PROPERTIES, "note"}


def test_fields_of_the_schema_are_those_of_an_entry():
    assert [*PROPERTIES, "extras"] == [field.name for field in dataclasses.fields(Entry)]


def test_schema_itself_is_valid():
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_first_problem_in_the_list_is_reported():
    first, second = entry(quantized=3, name="Nothing"), entry(id=1, name="Nothing")
    assert refused([first, second]).startswith("[recipe.json] E401 entry 0, field name: got 'Nothing'")


@pytest.mark.parametrize("data", [{}, {"model": []}, "recipe", 3, None, True])
def test_what_is_no_list_is_refused(data):
    text = refused(data)
    assert text == f"[recipe.json] E401 got {data!r}; accepted: {SCHEMA['description']}"


@pytest.mark.parametrize("item", [[], "Convolution", 3, None])
def test_what_is_no_object_in_the_list_is_refused(item):
    text = refused([entry(), item])
    assert text == f"[recipe.json] E401 entry 1: got {item!r}; accepted: an object with the fields of an entry"


@pytest.mark.parametrize("length", [0, 1, 7, 100, -3, -1])
def test_truncated_file_is_refused(path, length):
    path.write_text(LEGACY[:length])
    with pytest.raises(
        ValueError, match=r"recipe.json\] E401 no JSON: .*line \d+ column \d+.*; accepted: a list of ent"
    ):
        load(path)


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_literals_that_are_no_numbers_are_refused(path, literal):
    path.write_text(LEGACY.replace("24.26830291748047", literal, 1))
    with pytest.raises(
        ValueError, match=r"E401 entry 0 \(Convolution_Relu\), field outputs_scale\[0\]: got -?(nan|inf);"
    ):
        load(path)


def test_field_that_stands_twice_is_refused(path):
    path.write_text(LEGACY.replace('"quantized": true', '"quantized": true, "quantized": false'))
    with pytest.raises(
        ValueError, match=r"E401 entry 0 \(Convolution_Relu\), field quantized: got two values; accepted"
    ):
        load(path)


@pytest.mark.parametrize("depth", [3, 50, 500, 900, 5000, 200_000])
@pytest.mark.parametrize("inside", ["[{0}]", '[{{"note": {0}}}]', '{{"note": {0}}}'])
def test_deep_nesting_is_refused(path, depth, inside):
    path.write_text(inside.format("[" * depth + "]" * depth))
    with pytest.raises(ValueError, match="E401"):
        load(path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00", b'[{"id": ' + b"9" * 5000 + b"}]", b"[1,]", b"[] []"])
def test_bytes_that_are_no_json_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="E401 no JSON: "):
        load(path)


def test_missing_file_is_an_error_of_the_system(path):
    with pytest.raises(FileNotFoundError):
        load(path)


def words_about(data):
    """The error of a recipe, or nothing if there is none; another exception fails the test."""
    try:
        validate(data, "test")
    except ValueError as problem:
        return str(problem)
    return ""


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@patient
@given(
    st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*PROPERTIES, "x"]), inner))
)
def test_any_data_is_read_or_refused_with_e401(data):
    words = words_about(data)
    assert words.startswith("[test] E401 ") or data == []


@patient
@given(st.sampled_from(sorted(PROPERTIES)), SCALARS | st.lists(st.floats()))
def test_any_value_of_a_field_is_read_or_refused_with_its_name(field, value):
    words = words_about([entry(**{field: value})])
    assert words == "" or re.match(rf"\[test\] E401 entry 0( \(Convolution\))?, field {field}[:\[]", words)


# Writing.

TEXT = """[
  {
    "id": 0,
    "name": "Add",
    "algorithm": "percentile",
    "weight_granularity": "per_tensor",
    "inputs_scale": [0.1, 12345678.9],
    "outputs_scale": [1.1754943508222875e-38],
    "inputs_uint8_used": [true, false],
    "outputs_uint8_used": [false],
    "quantized": true,
    "version": 1,
    "op": "aten::add.Tensor",
    "module": "",
    "weight_shape": [],
    "percentile": 99.9,
    "note": {"by": ["me", 1.5, null]}
  },
  {
    "id": 1,
    "name": "Relu_",
    "algorithm": "min_max",
    "weight_granularity": "per_channel",
    "inputs_scale": [1.0],
    "outputs_scale": [2.0],
    "inputs_uint8_used": [false],
    "outputs_uint8_used": [true],
    "quantized": false,
    "version": 1
  }
]
"""


def test_layout_of_the_file_is_one_field_a_line(path):
    path.write_text(TEXT)
    save(path, load(path))
    assert path.read_text() == TEXT


def test_unknown_fields_survive(path):
    path.write_text(TEXT)
    assert load(path)[0].extras == {"note": {"by": ["me", 1.5, None]}}


def test_percentile_is_written_only_where_it_counts(path):
    path.write_text(TEXT)
    entries = load(path)
    entries[0].percentile = 99.99
    save(path, entries)
    assert [found.get("percentile") for found in json.loads(path.read_text())] == [99.99, None]


floats32 = st.floats(FLOAT32_TINY, FLOAT32_MAX)
extras = st.dictionaries(st.text().filter(lambda key: key not in PROPERTIES), st.integers() | st.text() | st.none())


@st.composite
def recipes(draw):
    entries = []
    for number in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(NAMES))
        inputs = draw(st.integers(1, 5)) if name == "Cat" else 1
        algorithm = draw(st.sampled_from(ALGORITHMS))
        entries.append(
            Entry(
                id=number,
                name=name,
                algorithm=algorithm,
                weight_granularity=draw(st.sampled_from(["per_channel", "per_tensor"])),
                inputs_scale=draw(st.lists(floats32, min_size=inputs, max_size=inputs)),
                outputs_scale=[draw(floats32)],
                inputs_uint8_used=draw(st.lists(st.booleans(), min_size=inputs, max_size=inputs)),
                outputs_uint8_used=[draw(st.booleans())],
                quantized=draw(st.booleans()),
                version=draw(st.sampled_from([None, 1])),
                op=draw(st.none() | st.text()),
                module=draw(st.none() | st.text()),
                weight_shape=draw(st.none() | st.lists(st.integers(0, 2**40))),
                percentile=draw(st.floats(0.1, 100)) if algorithm == "percentile" else 99.99,
                extras=draw(extras),
            )
        )
    return entries


@patient
@given(recipes())
def test_round_trip_loses_nothing(tmp_path_factory, entries):
    path = tmp_path_factory.getbasetemp() / "round_trip.json"
    before = copy.deepcopy(entries)
    save(path, entries)
    first = path.read_bytes()
    read = load(path)
    assert read == entries == before
    save(path, read)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs_scale": [float("nan")]}, "field inputs_scale[0]: got nan"),
        ({"id": 4}, "field id: got 4 at position 0"),
        ({"name": None}, "field name: missing"),
        ({"percentile": 50.0}, "field percentile: got 50.0"),
        ({"extras": {"quantized": False}}, "extras: got the field quantized; accepted: other names"),
        ({"extras": {"note": float("inf")}}, "field note: got inf"),
    ],
)
def test_invalid_entry_is_not_written(path, changes, words):
    (valid,) = validate([entry()], "test")
    save(path, [valid])
    before = path.read_bytes()
    with pytest.raises(ValueError) as caught:
        save(path, [dataclasses.replace(valid, **changes)])
    assert "recipe.json] E401 entry 0" in str(caught.value) and words in str(caught.value)
    assert path.read_bytes() == before


def test_extra_that_is_no_json_is_not_written(path):
    (valid,) = validate([entry()], "test")
    save(path, [valid])
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save(path, [dataclasses.replace(valid, extras={"note": object()})])
    assert path.read_bytes() == before


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod"])
def test_failing_write_leaves_the_old_file_and_no_other(path, monkeypatch, step):
    save(path, validate([entry()], "test"))
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        save(path, validate([entry(quantized=False)], "test"))
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["recipe.json"]


def test_new_content_is_complete_before_it_takes_the_place_of_the_old(path, monkeypatch):
    save(path, validate([entry()], "test"))
    seen = []
    replace = os.replace

    def look(source, target):
        assert os.path.dirname(source) == os.path.dirname(target)
        seen.append((load(path)[0].quantized, load(source)[0].quantized))
        replace(source, target)

    monkeypatch.setattr(os, "replace", look)
    save(path, validate([entry(quantized=False)], "test"))
    assert seen == [(True, False)]
    assert not load(path)[0].quantized


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_permissions_of_an_existing_file_stay(path, mode):
    save(path, [])
    path.chmod(mode)
    save(path, validate([entry()], "test"))
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_new_file_has_the_permissions_of_any_new_file(path, tmp_path):
    save(path, [])
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_link_stays_a_link(path, tmp_path):
    save(path, [])
    link = tmp_path / "link.json"
    link.symlink_to(path)
    save(link, validate([entry()], "test"))
    assert link.is_symlink() and len(load(path)) == 1


def test_pipe_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        save(pipe, validate([entry()], "test"))
        assert json.loads(reader.communicate()[0]) == [entry()]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_file_in_a_folder_that_is_missing_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "missing" / "recipe.json", [])


def test_saving_again_and_again_gives_the_same_bytes(path):
    entries = validate([entry(), entry(id=1)], "test")
    written = set()
    for _ in range(5):
        save(path, entries)
        written.add(path.read_bytes())
    assert len(written) == 1


def test_jsonschema_is_imported_with_the_first_recipe_only(tmp_path):
    program = (
        "import sys, torch_ipex_device.int8 as int8; assert 'jsonschema' not in sys.modules\n"
        "int8.validate([], 'test'); assert 'jsonschema' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
