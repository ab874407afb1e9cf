"""Dropout becomes an identity."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from .nets import optimize, run

CLASSES = [nn.AlphaDropout, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout]


@pytest.mark.parametrize("cls", CLASSES)
def test_identity_keeps_the_probability(cls: type[nn.Module]) -> None:
    made = optimize(nn.Sequential(cls(0.3)).eval())
    assert type(made[0]) is nn.Identity and made[0].p == 0.3
    x = torch.randn(2, 3, 4)
    assert run(made, x) is x


def test_nested_and_shared_dropouts() -> None:
    drop = nn.Dropout(0.1)
    model = nn.Sequential(drop, nn.Sequential(nn.Linear(3, 3), drop, nn.ModuleDict({"a": nn.Dropout2d()})["a"])).eval()
    made = optimize(model)
    assert type(made[0]) is nn.Identity and made[0] is made[1][1] and type(made[1][2]) is nn.Identity


class Noise(nn.Dropout):
    """A subclass."""


def test_subclasses_and_dropouts_that_stay_on_are_left_alone() -> None:
    model = nn.Sequential(Noise(), nn.Dropout()).eval()
    model[1].train()
    made = optimize(model)
    assert [type(module) for module in made] == [Noise, nn.Dropout]


def test_knob_is_obeyed() -> None:
    model = nn.Sequential(nn.Dropout()).eval()
    assert type(optimize(model, replace_dropout_with_identity=False)[0]) is nn.Dropout
    assert type(optimize(model, level="O0", replace_dropout_with_identity=True)[0]) is nn.Identity
