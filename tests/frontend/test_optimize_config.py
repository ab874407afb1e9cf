"""Levels, knobs, and the errors of arguments: nothing changes before all of them were looked at."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from torch_ipex_device.frontend.config import KNOBS, OptimizeConfig, resolve

from .nets import assert_unchanged, image, net, optimize, run, snapshot

PAGE = Path(__file__).resolve().parents[2] / "docs" / "optimize.md"


def test_knobs_of_the_table_are_those_of_the_signature() -> None:
    parameters = inspect.signature(optimize).parameters
    others = {"model", "dtype", "optimizer", "level", "inplace", "sample_input"}
    assert {knob.name for knob in KNOBS} == set(parameters) - others
    assert all(parameters[knob.name].default is None for knob in KNOBS)


def test_signature_is_that_of_the_archived_extension() -> None:
    assert list(inspect.signature(optimize).parameters) == [
        "model", "dtype", "optimizer", "level", "inplace", "conv_bn_folding", "linear_bn_folding", "weights_prepack",
        "replace_dropout_with_identity", "optimize_lstm", "split_master_weight_for_bf16", "fuse_update_step",
        "auto_kernel_selection", "sample_input", "graph_mode", "concat_linear",
    ]  # fmt: skip


@pytest.mark.parametrize("level", ["O0", "O1"])
@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
@pytest.mark.parametrize("given", [None, False, True])
def test_knob_that_is_given_overrides_the_level(level: str, knob: Any, given: bool | None) -> None:
    config = resolve(level, {knob.name: given})
    assert getattr(config, knob.name) == (getattr(knob, level) if given is None else given)
    assert config.explicit == (frozenset() if given is None else {knob.name})
    others = [other for other in KNOBS if other != knob]
    assert all(getattr(config, other.name) == getattr(other, level) for other in others)


def test_page_has_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \| (yes|no) \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    word = {True: "yes", False: "no"}
    assert sorted(rows) == [(knob.name, word[knob.O0], word[knob.O1], knob.applies) for knob in KNOBS]


def test_config_cannot_be_changed() -> None:
    config = resolve("O1", {})
    with pytest.raises(AttributeError):
        config.level = "O0"  # type: ignore[misc]
    assert isinstance(config, OptimizeConfig)


ERRORS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"level": "O2"}, ValueError, r"E103 got level='O2'; accepted: O0, O1"),
    ({"level": 1}, TypeError, r"E101 got int as level"),
    ({"dtype": torch.float64}, ValueError, r"E103 got dtype=torch.float64; accepted: torch.float32, torch.bfloat16"),
    ({"dtype": torch.int8}, ValueError, r"E103 got dtype=torch.int8"),
    ({"dtype": "bfloat16"}, TypeError, r"E101 got str as dtype; accepted: a torch.dtype or None"),
    ({"inplace": None}, TypeError, r"E101 got NoneType as inplace; accepted: bool"),
    ({"weights_prepack": 1}, TypeError, r"E101 got int as weights_prepack; accepted: bool, or None"),
    ({"sample_input": 3}, TypeError, r"E101 got int as sample_input; accepted: a tensor, a tuple"),
    ({"sample_input": {1: torch.ones(1)}}, TypeError, r"E101 got dict as sample_input"),
    ({"optimizer": "SGD"}, TypeError, r"E101 got str as optimizer; accepted: torch.optim.Optimizer, after dtype"),
]


@pytest.mark.parametrize(("arguments", "exception", "words"), ERRORS)
@pytest.mark.parametrize("inplace", [False, True])
def test_bad_argument_changes_nothing(
    arguments: dict[str, Any], exception: type[Exception], words: str, inplace: bool
) -> None:
    model = net()
    before = snapshot(model)
    with pytest.raises(exception, match=rf"\[optimize\] {words}"):
        optimize(model, **{"inplace": inplace, **arguments})
    assert_unchanged(model, before)


@pytest.mark.parametrize("model", [None, lambda x: x, torch.ones(1), nn.Linear])
def test_model_that_is_no_module(model: Any) -> None:
    with pytest.raises(TypeError, match=r"\[optimize\] E101 got \w+ as model; accepted: torch.nn.Module"):
        optimize(model)


def test_training_mode_needs_an_optimizer() -> None:
    model = net().train()
    before = snapshot(model)
    with pytest.raises(ValueError, match=r"\[optimize\] E503 got a model in training mode and no optimizer"):
        optimize(model, inplace=True)
    assert_unchanged(model, before)


def test_evaluation_mode_needs_none() -> None:
    model = net()
    with pytest.raises(ValueError, match=r"\[optimize\] E503 got a model in evaluation mode and an optimizer"):
        optimize(model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))


def test_optimizer_of_another_model() -> None:
    optimizer = torch.optim.SGD(net().parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"\[optimize\] E503 got an optimizer without any parameter of the model"):
        optimize(net().train(), optimizer=optimizer)


def test_optimizer_in_place_of_the_dtype_is_named() -> None:
    model = net().train()
    with pytest.raises(TypeError, match=r"\[optimize\] E101 got SGD as dtype"):
        optimize(model, torch.optim.SGD(model.parameters(), lr=0.1))  # type: ignore[call-overload]


def test_script_modules_are_returned_untouched() -> None:
    traced = torch.jit.trace(nn.Linear(2, 2).eval(), torch.ones(1, 2))
    assert optimize(traced) is traced
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scripted = torch.jit.script(model)
    assert optimize(scripted, optimizer=optimizer) == (scripted, optimizer)


def test_script_module_inside_of_a_model_works() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), torch.jit.script(nn.BatchNorm2d(4)), nn.ReLU()).eval()
    torch.testing.assert_close(run(optimize(model), image()), run(model, image()))


def test_level_O0_changes_nothing() -> None:
    model = net()
    made = optimize(model, level="O0")
    assert made is not model
    facts, facts_made = snapshot(model), snapshot(made)
    for name, value in facts.items():
        kept = slice(1, 4) if name.startswith("module") else slice(2, 4)  # class and mode; strides and dtype
        assert value[kept][:2] == facts_made[name][kept][:2], name
    assert torch.equal(run(made, image()), run(model, image()))


def test_auto_kernel_selection_is_accepted() -> None:
    model = net()
    assert torch.equal(
        run(optimize(model, auto_kernel_selection=True), image()),
        run(optimize(model, auto_kernel_selection=False), image()),
    )
