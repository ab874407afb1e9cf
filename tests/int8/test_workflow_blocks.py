"""Blocks of int8: several programs in one, decorated functions, one object used again, and exceptions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex

from .models import (
    Gated,
    Plain,
    Residual,
    Twice,
    assert_near,
    calibrate,
    calibrated,
    float32,
    image,
    infer,
    made,
    same_bits,
    scales,
)

BATCHES = [image(seed) for seed in range(3)]


# Several forwards.


def test_several_forwards_in_one_block() -> None:
    model, conf = made(Residual), ipex.AmpConf(torch.int8)
    expected = [float32(model, x) for x in BATCHES]
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        results = [model(x) for x in BATCHES]
    assert same_bits(results, expected)
    assert scales(conf) == scales(calibrated(model, BATCHES))
    low = [infer(conf, model, x) for x in BATCHES]
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        assert same_bits([model(x) for x in BATCHES], low)


def test_two_models_in_one_block(tmp_path: Path) -> None:
    one, two = made(Plain), made(Gated, 1)

    def both(x: Tensor) -> Tensor:
        return torch.cat([one(x), two(x)], 1)

    expected, conf = [float32(both, x) for x in BATCHES], ipex.AmpConf(torch.int8)
    assert same_bits(calibrate(conf, both, BATCHES), expected)
    conf.save(tmp_path / "recipe.json")
    for each in (conf, ipex.AmpConf(torch.int8, tmp_path / "recipe.json")):
        for x, y in zip(BATCHES, expected, strict=True):
            assert_near(infer(each, both, x), y)
        for model in (two, one):  # their places are known by now
            assert_near(infer(each, model, BATCHES[0]), float32(model, BATCHES[0]))


def test_programs_without_modules(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = [torch.randn(8, 3, 3, 3).to("ipex"), torch.randn(8, 8, 3, 3).to("ipex"), torch.randn(10, 8).to("ipex")]

    def program(x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, weights[0]))
        return F.linear(F.relu(F.conv2d(x, weights[1])).mean((2, 3)), weights[2])

    conf = calibrated(program, BATCHES)
    conf.save(tmp_path / "recipe.json")
    assert {entry.module for entry in conf.calibration.entries()} == {None}
    for each in (conf, ipex.AmpConf(torch.int8, tmp_path / "recipe.json")):
        for x in BATCHES:
            assert_near(infer(each, program, x), float32(program, x))


class Function:
    """A program without modules, which fails in the middle if it is to."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.first, self.second = torch.randn(8, 3, 3, 3).to("ipex"), torch.randn(8, 8, 3, 3).to("ipex")
        self.fails = False

    def __call__(self, x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, self.first))
        if self.fails:
            raise KeyError
        return F.conv2d(x, self.second)


@pytest.mark.parametrize("fails", [False, True])
def test_functions_may_run_again_in_one_block(fails: bool) -> None:
    program, conf = Function(), ipex.AmpConf(torch.int8)
    batches = [x * (1 + 4 * number) for number, x in enumerate(BATCHES)]
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        if fails:
            program.fails = True
            with pytest.raises(KeyError):
                program(batches[0])
            program.fails = False
        results = [program(x) for x in batches]
    assert same_bits(results, [float32(program, x) for x in batches])
    assert scales(conf) == scales(calibrated(program, batches))
    for x in batches:
        assert_near(infer(conf, program, x), float32(program, x))


def test_weights_that_a_function_uses_again_are_no_repetition() -> None:
    torch.manual_seed(0)
    first, again, last = (torch.randn(8, 8).to("ipex") for _ in range(3))

    def program(x: Tensor) -> Tensor:
        x = F.linear(F.linear(F.linear(x, first), again), first)
        return F.linear(F.linear(F.linear(x, last), again), first)

    batches = [torch.randn(4, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    conf = ipex.AmpConf(torch.int8, algorithm="moving_average_min_max")
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        for x in batches:
            program(x.to("ipex"))
    assert [entry.name for entry in conf.calibration.entries()] == ["Linear"] * 6
    once = ipex.AmpConf(torch.int8, algorithm="moving_average_min_max")
    for x in batches:
        with torch.no_grad(), ipex.AutoMixPrecision(once, running_mode="calibration"):
            program(x.to("ipex"))
    for (_, *mine), (_, *expected) in zip(scales(conf), scales(once), strict=True):
        assert [*chain(*mine)] == pytest.approx([*chain(*expected)])


@pytest.mark.parametrize("algorithm", ["percentile", "kl"])
def test_histograms_of_repetitions_are_merged(algorithm: str) -> None:
    torch.manual_seed(0)
    weight, batches = torch.randn(8, 8).to("ipex"), [torch.randn(40, 8) * scale for scale in (1, 0.3, 2)]
    found = []
    for blocks in ([batches], [[x] for x in batches]):
        conf = ipex.AmpConf(torch.int8, algorithm=algorithm)
        for block in blocks:
            with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
                for x in block:
                    F.linear(x.to("ipex"), weight)
        found.append(conf.calibration.entries())
    assert [len(entries) for entries in found] == [1, 1]
    assert found[0][0].inputs_scale == pytest.approx(found[1][0].inputs_scale, rel=0.02)
    assert found[0][0].outputs_scale == pytest.approx(found[1][0].outputs_scale, rel=0.02)


def test_a_function_without_weights_is_not_folded() -> None:
    x, conf = torch.randn(4, 8).to("ipex"), ipex.AmpConf(torch.int8)
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        F.relu(F.relu(x))
    assert len(conf.calibration.entries()) == 2


@pytest.mark.parametrize("fails", [False, True])
def test_functions_may_run_again_in_a_block_of_inference(fails: bool) -> None:
    program = Function()
    conf = calibrated(program, BATCHES)
    low = [infer(conf, program, x) for x in BATCHES]
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        for x, expected in zip(BATCHES, low, strict=True):
            program.fails = fails
            with contextlib.nullcontext() if not fails else pytest.raises(KeyError):
                program(x)
            program.fails = False
            assert same_bits(program(x), expected)


# Other ways in and out.


def test_decorated_functions_and_generators() -> None:
    model, conf = made(Plain), ipex.AmpConf(torch.int8)
    expected = [float32(model, x) for x in BATCHES]

    def run(x: Tensor, depth: int) -> Tensor:
        return model(x) if depth == 0 else decorated(x, depth - 1)

    def each() -> Iterator[Tensor]:
        for x in BATCHES:
            assert ipex.get_auto_mix_precision() == torch.int8
            yield model(x)

    with torch.no_grad():
        decorated = ipex.AutoMixPrecision(conf, running_mode="calibration")(run)
        results = [decorated(x, 2) for x in BATCHES]
        for y in ipex.AutoMixPrecision(conf, running_mode="calibration")(each)():
            assert ipex.get_auto_mix_precision() is None
            results.append(y)
        assert same_bits(results, expected * 2)
        assert scales(conf) == scales(calibrated(model, BATCHES))
        low = [infer(conf, model, x) for x in BATCHES]
        decorated = ipex.AutoMixPrecision(conf)(run)
        assert same_bits([decorated(x, 2) for x in BATCHES], low)
        assert same_bits(list(ipex.AutoMixPrecision(conf)(each)()), low)


def test_one_object_may_be_used_again_and_inside_itself() -> None:
    model, conf = made(Plain), ipex.AmpConf(torch.int8)
    calibration, inference = ipex.AutoMixPrecision(conf, "calibration"), ipex.AutoMixPrecision(conf)
    results = []
    with torch.no_grad():
        for x in BATCHES:
            with calibration:
                results.append(model(x))
        low = [infer(conf, model, x) for x in BATCHES]
        for x, expected in zip(BATCHES, low, strict=True):
            with inference, inference:
                assert same_bits(model(x), expected)
        with inference:
            with inference:
                model(BATCHES[0])
            assert same_bits(model(BATCHES[1]), low[1])
    assert same_bits(results, [float32(model, x) for x in BATCHES])


class Failing(nn.Module):
    """Raises after a part of its operators, if it is to."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = Twice(), nn.Conv2d(8, 4, 1)
        self.fails = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        if self.fails:
            raise KeyError
        return self.out(x)


def fail(model: Failing, call: Callable[[Tensor], Tensor]) -> None:
    """Runs half of the model."""
    model.fails = True
    with pytest.raises(KeyError):
        call(BATCHES[0])
    model.fails = False


@pytest.mark.parametrize("way", ["module", "forward"])
def test_a_failed_forward_leaves_the_next_one_right(way: str) -> None:
    model, conf = made(Failing), ipex.AmpConf(torch.int8)
    call = model if way == "module" else model.forward
    results = []
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        for x in BATCHES:
            fail(model, call)
            results.append(call(x))
    assert same_bits(results, [float32(model, x) for x in BATCHES])
    assert scales(conf) == scales(calibrated(call, BATCHES))
    low = [infer(conf, call, x) for x in BATCHES]
    assert_near(low[0], float32(model, BATCHES[0]))
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        for x, expected in zip(BATCHES, low, strict=True):
            fail(model, call)
            fail(model, call)
            assert same_bits(call(x), expected)
    model.fails = True
    with pytest.raises(KeyError):
        infer(conf, call, BATCHES[0])
