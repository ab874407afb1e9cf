"""Branches, other models, models in another order, programs that stopped: refused, or right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex

from .models import (
    ENOUGH,
    REFUSAL,
    Gated,
    Plain,
    Residual,
    assert_near,
    calibrated,
    float32,
    image,
    infer,
    made,
    names,
    refused,
    same_bits,
    sqnr,
)


class Branching(nn.Module):
    """Takes one of two branches, of the same operators and shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.left, self.right = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3)
        self.out = nn.Conv2d(8, 4, 1)
        self.turn = "left"

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(getattr(self, self.turn)(F.relu(self.stem(x)))))


@pytest.mark.parametrize(
    "is_known",
    [False, True],
    ids=["fresh", "used"],
)
def test_another_branch_with_the_same_shapes_is_refused(is_known: bool, tmp_path: Path) -> None:
    model = made(Branching)
    model.right.weight.mul_(30)
    conf = calibrated(model, [image()])
    conf.save(tmp_path / "recipe.json")
    conf = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
    expected = float32(model, image())
    if is_known:
        infer(conf, model, image())
    model.turn = "right"
    got = refused(lambda: infer(conf, model, image()))
    assert got is None or sqnr(got, float32(model, image())) > ENOUGH
    model.turn = "left"
    assert_near(infer(conf, model, image()), expected)


@pytest.mark.parametrize("others", [Residual, Gated])
def test_a_recipe_of_another_model_is_refused_and_names_both(others: type[nn.Module], tmp_path: Path) -> None:
    model, other = made(Plain), made(others)
    conf = calibrated(model, [image()])
    conf.save(tmp_path / "recipe.json")
    conf = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
    first = names(calibrated(other, [image()]))
    with pytest.raises(RuntimeError) as caught:
        infer(conf, other, image())
    assert REFUSAL.search(str(caught.value))
    assert re.search(
        r"Convolution \(aten::convolution, module conv, weights \[16, 3, 3, 3\]\)|BatchNorm", str(caught.value)
    )
    assert first[0] in str(caught.value) or first[1] in str(caught.value)
    assert ipex.get_auto_mix_precision() is None
    assert_near(infer(conf, model, image()), float32(model, image()))


def test_models_in_the_wrong_order_are_refused_and_then_right(tmp_path: Path) -> None:
    one, two, x = made(Plain), made(Gated), image()

    def both(x: Tensor) -> Tensor:
        return torch.cat([one(x), two(x)], 1)

    conf = calibrated(both, [x])
    conf.save(tmp_path / "recipe.json")
    conf = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
    assert refused(lambda: infer(conf, two, x)) is None
    assert_near(infer(conf, both, x), float32(both, x))


def test_a_function_that_stopped_early_is_refused_or_right() -> None:
    """A program that begins without weights cannot be told from one that goes on."""
    torch.manual_seed(0)
    one, two = torch.randn(3, 3, 3, 3).to("ipex"), torch.randn(3, 3, 3, 3).to("ipex") * 0.1

    def program(x: Tensor, stop: bool = False) -> Tensor:
        x = F.conv2d(F.relu(x), one)
        return x if stop else F.conv2d(F.relu(x), two)

    conf = calibrated(program, [image()])
    low, expected = infer(conf, program, image()), float32(program, image())
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        program(image(), stop=True)
        got = refused(lambda: program(image()))
        assert got is None or sqnr(got, expected) > ENOUGH
        assert same_bits(program(image()), low)


def test_calibration_refuses_another_program_too() -> None:
    model, conf = made(Branching), ipex.AmpConf(torch.int8)
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        first = model(image())
        model.turn = "right"
        with pytest.raises(RuntimeError, match=r"E402 entry 2 .*module left.* the program runs .*module right"):
            model(image(1))
        model.turn = "left"
        second = model(image(2))
    assert same_bits([first, second], [float32(model, image()), float32(model, image(2))])
    assert_near(infer(conf, model, image(2)), float32(model, image(2)))
