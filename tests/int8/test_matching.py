"""Programs that are not the one of the recipe: refused, or right; and what comes next is right."""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex

from .models import (
    ENOUGH,
    calibrated,
    image,
    infer,
    made,
    refused,
    same_bits,
    sqnr,
)

PLAN = ["first", "relu", "second", "norm", "swish", "largest", "third", "again", "mean", "last"]
BATCHES = [image(seed, 8) for seed in range(2)]


class Operators(nn.Module):
    """Ten operators that take any image with eight channels, so that they run in any order. Their results differ in size."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))
        self.second.weight.data.mul_(8)
        self.third.weight.data.mul_(0.2)
        self.norm, self.last = nn.BatchNorm2d(8), nn.Linear(12, 12)
        self.relu, self.again, self.swish = nn.ReLU(), nn.ReLU(inplace=True), nn.Hardswish()
        self.largest, self.mean = nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1)
        self.plan = PLAN

    def forward(self, x: Tensor) -> Tensor:
        for name in self.plan:
            x = getattr(self, name)(x)
        return x


def inserted() -> list[list[str]]:
    return [[*PLAN[:i], name, *PLAN[i:]] for i in range(len(PLAN) + 1) for name in PLAN]


def deleted() -> list[list[str]]:
    return [PLAN[:i] + PLAN[i + 1 :] for i in range(len(PLAN))]


def swapped() -> list[list[str]]:
    plans = []
    for i, j in itertools.combinations(range(len(PLAN)), 2):
        plan = list(PLAN)
        plan[i], plan[j] = plan[j], plan[i]
        plans.append(plan)
    return plans


@pytest.fixture(scope="module")
def model() -> Operators:
    """The model; its `plan` is to be put back."""
    model = made(Operators)
    for values in (model.norm.running_mean, model.norm.bias):
        assert values is not None
        values.mul_(0.01)  # so that its results are as large as its inputs
    return model


def function(model: Operators) -> Callable[[Tensor], Tensor]:
    """Returns the model as a program without modules."""
    norm = model.norm
    steps: dict[str, Callable[[Tensor], Tensor]] = {
        "first": lambda x: F.conv2d(x, model.first.weight, model.first.bias, padding=1),
        "second": lambda x: F.conv2d(x, model.second.weight, model.second.bias, padding=1),
        "third": lambda x: F.conv2d(x, model.third.weight, model.third.bias, padding=1),
        "norm": lambda x: F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias),
        "last": lambda x: F.linear(x, model.last.weight, model.last.bias),
        "relu": F.relu,
        "again": F.relu_,
        "swish": F.hardswish,
        "largest": lambda x: F.max_pool2d(x, 3, 1, 1),
        "mean": lambda x: F.avg_pool2d(x, 3, 1, 1),
    }

    def run(x: Tensor) -> Tensor:
        for name in model.plan:
            x = steps[name](x)
        return x

    return run


def wrong(conf: ipex.AmpConf, model: Operators, call: Callable[[Tensor], Tensor], plan: list[str]) -> list[str]:
    """Runs another program, then the right one, in one block, and returns what was wrong."""
    found = []
    with torch.no_grad(), ipex.AutoMixPrecision(conf):
        for plan_now, is_right in ((plan, False), (PLAN, True)):
            model.plan = plan_now
            got = refused(lambda: call(BATCHES[0]))
            if got is None:
                found += ["the right program was refused"] if is_right else []
            else:
                with ipex.AutoMixPrecision(ipex.AmpConf(None)):
                    ratio = sqnr(got, call(BATCHES[0]))
                found += [f"{ratio:.1f} dB"] if ratio < ENOUGH else []
    return found


WAYS = ["fresh", "used before", "copy", "function"]


@pytest.mark.parametrize("plans", [inserted, deleted, swapped], ids=lambda each: each.__name__)
@pytest.mark.parametrize("way", WAYS)
def test_a_changed_program_is_refused_or_right(
    plans: Callable[[], list[list[str]]], way: str, model: Operators
) -> None:
    model.plan = PLAN
    call = function(model) if way == "function" else model
    conf = calibrated(call, BATCHES)
    entries = conf.calibration.entries()
    infer(conf, call, BATCHES[0])
    problems = {}
    for plan in plans():
        if way == "fresh":
            conf = ipex.AmpConf(torch.int8)
            conf.calibration.replace(entries)
        subject = copy.deepcopy(model) if way == "copy" else model
        found = wrong(conf, subject, call if way == "function" else subject, plan)
        if found:
            problems[" ".join(plan)] = found
    assert problems == {}


def test_most_changes_are_refused(model: Operators) -> None:
    """What is accepted ends early, or begins again, at a boundary of the program."""
    model.plan = PLAN
    conf = calibrated(model, BATCHES)
    accepted = []
    for plan in deleted() + swapped():
        model.plan = plan
        if refused(lambda: infer(conf, model, BATCHES[0])) is not None:
            accepted.append(plan)
    assert accepted == [PLAN[:-1]]


@pytest.mark.parametrize("change", ["delete", "repeat", "swap"])
def test_a_changed_recipe_is_refused_or_right(change: str, model: Operators) -> None:
    model.plan = PLAN
    conf = calibrated(model, BATCHES)
    entries, low = conf.calibration.entries(), infer(conf, model, BATCHES[0])
    if change == "delete":
        changed = [entries[:i] + entries[i + 1 :] for i in range(len(entries))]
    elif change == "repeat":
        changed = [entries[:i] + entries[i:][:1] + entries[i:] for i in range(len(entries))]
    else:
        changed = [[*entries[:i], entries[i + 1], entries[i], *entries[i + 2 :]] for i in range(len(entries) - 1)]
    for others in changed:
        other = ipex.AmpConf(torch.int8)
        other.calibration.replace([dataclasses.replace(entry, id=number) for number, entry in enumerate(others)])
        got = refused(functools.partial(infer, other, model, BATCHES[0]))
        assert got is None or (len(others) > len(entries) and same_bits(got, low))  # one too many at the end
    assert same_bits(infer(conf, model, BATCHES[0]), low)
