"""Tuning: as few entries as possible go to float32, in place, and only when the goal is reached."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import torch_ipex_device as ipex
from torch_ipex_device.int8.layers import groups
from torch_ipex_device.int8.tune_search import fewest

from .models import Plain, Residual, calibrated, float32, image, made, sqnr

GOOD = 30.0  # dB, of results in int8 without a spoilt scale


@pytest.fixture
def residual() -> tuple[nn.Module, ipex.AmpConf]:
    model = made(Residual)
    return model, calibrated(model, [image(seed) for seed in range(2)])


def quality(model: nn.Module) -> Callable[[nn.Module], float]:
    """An evaluate: how near results are to those of the model in float32, at most 1, which is nearer than `GOOD` dB."""
    expected = float32(model, image(9))
    return lambda model: min(1.0, sqnr(model(image(9)).cpu(), expected) / GOOD)


def spoil(conf: ipex.AmpConf, number: int) -> None:
    """Makes an entry's result saturate."""
    entries = [dataclasses.replace(entry) for entry in conf.calibration.entries()]
    entries[number].outputs_scale = [entries[number].outputs_scale[0] * 100]
    conf.calibration.replace(entries)


def disabled(conf: ipex.AmpConf) -> list[int]:
    return [entry.id for entry in conf.calibration.entries() if not entry.quantized]


def tune(*arguments: Any, **options: Any) -> ipex.int8.Tuned:
    return ipex.int8.tune(*arguments, progress=False, **options)


def test_what_is_good_enough_stays_as_it_is(residual: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = residual
    before = [dataclasses.replace(entry) for entry in conf.calibration.entries()]
    tuned = tune(model, conf, quality(model))
    assert (tuned.disabled, tuned.float32, tuned.int8, tuned.value, tuned.evaluations) == ((), 1.0, 1.0, 1.0, 2)
    assert conf.calibration.entries() == before


def test_layer_that_reads_a_spoilt_scale_goes_to_float32_with_what_follows_it(
    residual: tuple[nn.Module, ipex.AmpConf],
) -> None:
    model, conf = residual
    spoil(conf, 4)  # read by the convolution 5, which batch norm, add and relu follow
    tuned = tune(model, conf, quality(model))
    assert list(tuned.disabled) == disabled(conf) == [5, 6, 7, 8]
    assert tuned.int8 < tuned.float32 - 0.01 <= tuned.value
    assert len(tuned.trials) == tuned.evaluations - 1
    assert tuned.trials[0] == ipex.int8.Trial((), tuned.int8)
    assert ipex.int8.Trial(tuned.disabled, tuned.value) in tuned.trials
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        assert quality(model)(model) == tuned.value


def test_two_layers_are_found_among_others(residual: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = residual
    spoil(conf, 4)
    spoil(conf, 11)
    tuned = tune(model, conf, quality(model))
    assert tuned.disabled == (5, 6, 7, 8, 12, 13, 14, 15)
    assert tuned.evaluations <= 7


def test_outcome_is_saved_and_named_in_a_report(residual: tuple[nn.Module, ipex.AmpConf], tmp_path: Path) -> None:
    model, conf = residual
    spoil(conf, 4)
    conf.save(tmp_path / "before.json")
    loaded = ipex.AmpConf(torch.int8, tmp_path / "before.json")
    assert tune(model, loaded, quality(model)).disabled == (5, 6, 7, 8)
    loaded.save(tmp_path / "after.json")
    saved = ipex.AmpConf(torch.int8, tmp_path / "after.json")
    assert disabled(saved) == [5, 6, 7, 8] and disabled(conf) == []
    layers = ipex.int8.report(model, saved, [image()], repeats=1).layers
    assert {layers[number].reason for number in (5, 6, 7, 8)} == {"int8.tune chose float32"}
    assert tune(model, saved, quality(model)).evaluations == 2


def test_what_is_in_float32_already_stays_there(residual: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = residual
    spoil(conf, 4)
    entries = [dataclasses.replace(entry, quantized=entry.id not in (0, 6)) for entry in conf.calibration.entries()]
    conf.calibration.replace(entries)
    assert tune(model, conf, quality(model)).disabled == (5, 7, 8)
    assert disabled(conf) == [0, 5, 6, 7, 8]


def test_nothing_may_be_lost_when_max_drop_is_0(residual: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = residual
    expected = float32(model, image(9))
    tuned = tune(model, conf, lambda model: -float((model(image(9)).cpu() - expected).abs().max() > 1e-4), 0)
    assert tuned.value == tuned.float32 == 0
    assert set(tuned.disabled) >= {0, 2, 5, 9, 12, 17}


@pytest.mark.parametrize("kind", [float, np.float32, torch.tensor, lambda value: torch.tensor([value])])
def test_value_may_be_any_number(residual: tuple[nn.Module, ipex.AmpConf], kind: Callable[[float], Any]) -> None:
    model, conf = residual
    evaluate = quality(model)
    assert tune(model, conf, lambda model: kind(evaluate(model)), np.float32(0.01)).value == 1.0


@pytest.mark.parametrize(
    ("value", "exception", "words"),
    [
        (math.nan, ValueError, "E103 got nan from evaluate; accepted: a finite number, higher is better"),
        (math.inf, ValueError, "E103 got inf from evaluate"),
        (torch.tensor(math.nan), ValueError, "E103 got nan from evaluate"),
        (None, TypeError, "E101 got NoneType from evaluate; accepted: a number"),
        ("0.9", TypeError, "E101 got str from evaluate"),
        (torch.zeros(2), TypeError, "E101 got Tensor from evaluate"),
        (1j, TypeError, "E101 got complex from evaluate"),
    ],
)
def test_value_that_is_no_finite_number_changes_nothing(
    residual: tuple[nn.Module, ipex.AmpConf], value: Any, exception: type[Exception], words: str
) -> None:
    model, conf = residual
    before = [dataclasses.replace(entry) for entry in conf.calibration.entries()]
    values = iter([1.0, 0.0, value])  # float32, int8, the first trial

    def evaluate(model: nn.Module) -> Any:
        model(image())
        return next(values)

    with pytest.raises(exception, match=rf"\[int8.tune\] {words}"):
        tune(model, conf, evaluate)
    assert conf.calibration.entries() == before
    assert ipex.get_auto_mix_precision() is None


def test_evaluate_that_does_not_repeat_is_refused(residual: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = residual
    before = [dataclasses.replace(entry) for entry in conf.calibration.entries()]
    values = iter([1.0] + [0.5] * 100)

    def evaluate(model: nn.Module) -> float:
        model(image())
        return next(values)

    words = r"E103 got 1 and then 0.5 from evaluate, both in float32; accepted: an evaluate that repeats within max_drop=0.1"
    with pytest.raises(ValueError, match=words):
        tune(model, conf, evaluate, 0.1)
    assert conf.calibration.entries() == before


def test_exception_of_evaluate_comes_through(residual: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = residual

    def evaluate(model: nn.Module) -> float:
        model(image())
        raise KeyError("label")

    with pytest.raises(KeyError, match="label"):
        tune(model, conf, evaluate)
    assert ipex.get_auto_mix_precision() is None
    assert disabled(conf) == []


def test_evaluate_that_does_not_run_the_model_is_refused(residual: tuple[nn.Module, ipex.AmpConf]) -> None:
    with pytest.raises(RuntimeError, match=r"\[int8.tune\] E402 got an evaluate that ran none of the 18 entries"):
        tune(*residual, lambda model: 1.0)


def test_evaluate_runs_without_gradients_in_the_precision_of_the_trial(
    residual: tuple[nn.Module, ipex.AmpConf],
) -> None:
    model, conf = residual
    seen = []

    def evaluate(model: nn.Module) -> float:
        seen.append((torch.is_grad_enabled(), ipex.get_auto_mix_precision(), model(image()).requires_grad))
        return 1.0

    tune(model.requires_grad_(), conf, evaluate)
    assert seen == [(False, torch.int8, False)] * 2


def test_progress_is_a_bar_on_stderr(
    residual: tuple[nn.Module, ipex.AmpConf], capfd: pytest.CaptureFixture[str]
) -> None:
    model, conf = residual
    ipex.int8.tune(model, conf, quality(model))
    shown = capfd.readouterr()
    assert shown.out == "" and "2 evaluations" in shown.err
    tune(model, conf, quality(model))
    assert capfd.readouterr() == ("", "")


def test_wrong_arguments_are_refused(residual: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = residual
    for exception, arguments, words in (
        (TypeError, (model, {}, quality(model)), "E101 got dict as conf; accepted: ipex.AmpConf"),
        (TypeError, (model, conf, 0.9), "E101 got float as evaluate; accepted: a function of the model"),
        (TypeError, (model, conf, quality(model), "1%"), "E101 got str as max_drop; accepted: a number"),
        (TypeError, (model, conf, quality(model), True), "E101 got bool as max_drop"),
        (
            ValueError,
            (model, conf, quality(model), -0.1),
            "E103 got max_drop=-0.1; accepted: a finite number, 0 or more",
        ),
        (ValueError, (model, conf, quality(model), math.nan), "E103 got max_drop=nan"),
        (ValueError, (model, conf, quality(model), math.inf), "E103 got max_drop=inf"),
        (ValueError, (made(Plain).train(), conf, quality(model)), "E103 got the model in training mode"),
        (RuntimeError, (model, ipex.AmpConf(torch.int8), quality(model)), "E403 got a conf without entries"),
    ):
        with pytest.raises(exception, match=rf"\[int8.tune\] {words}"):
            tune(*arguments)
    with pytest.raises(TypeError, match="E101 got int as progress; accepted: bool"):
        ipex.int8.tune(model, conf, quality(model), progress=1)


# The search.


@settings(deadline=None)
@given(st.integers(0, 40), st.data())
def test_search_finds_what_is_needed_and_nothing_else(count: int, data: st.DataObject) -> None:
    things = list(range(count))
    needed = set(data.draw(st.lists(st.sampled_from(things), unique=True)) if things else [])
    asked = []

    def holds(chosen: Any) -> bool:
        asked.append(tuple(chosen))
        return needed <= set(chosen)

    found = fewest(things, holds)
    assert found is not None and set(found) == needed
    reached = max(needed, default=-1) + 1
    assert len(asked) <= 1 + (2 * math.ceil(math.log2(reached + 1)) + reached if reached else 0)
    assert len(set(asked)) == len(asked)


def test_search_gives_up_when_even_all_is_not_enough() -> None:
    asked = []
    assert fewest([1, 2, 3], lambda chosen: asked.append(list(chosen))) is None
    assert asked == [[], [1], [1, 2], [1, 2, 3]]
    assert fewest([], lambda chosen: False) is None


def test_search_tells_equal_things_apart() -> None:
    things = [[0], [0], [0]]
    assert fewest(things, lambda chosen: len(chosen) >= 2) == [[0], [0]]


# Groups.


def entries(*names: str) -> list[ipex.int8.Entry]:
    return [
        ipex.int8.Entry(number, name, "min_max", "per_channel", [1.0], [1.0], [False], [False], True)
        for number, name in enumerate(names)
    ]


def test_chain_is_one_group() -> None:
    made = entries("Convolution", "BatchNorm", "Relu_", "MaxPooling", "Linear", "Gelu")
    assert groups(made, {0: (-1,), 1: (0,), 2: (1,), 3: (2,), 4: (3,), 5: (4,)}) == [[0, 1, 2], [3], [4, 5]]


def test_sum_joins_the_operand_that_is_not_rounded_yet() -> None:
    made = entries("Convolution", "Convolution", "Add", "Convolution", "Convolution", "Add_")
    sources = {0: (-1,), 1: (0,), 2: (0, 1), 3: (2,), 4: (2,), 5: (3, 4)}
    assert groups(made, sources) == [[0], [1, 2], [3, 5], [4]]


def test_operator_of_unknown_inputs_and_one_that_did_not_run() -> None:
    assert groups(entries("Add", "Relu", "Cat", "Relu"), {0: (-1, -1), 1: (0,), 2: (0, 1)}) == [[0, 1], [2]]
