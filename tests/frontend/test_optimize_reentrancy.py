"""`optimize` may be called again and again, with any knobs; results and the state stay right."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

import pytest
import torch

from torch_ipex_device.frontend.config import KNOBS

from .nets import assert_near, assert_same_state, exact, image, net, optimize, run

NAMES = [
    knob.name
    for knob in KNOBS
    if knob.applies != "training" and knob.name not in ("graph_mode", "auto_kernel_selection")
]


COMBINED = [name for name in NAMES if name != "replace_dropout_with_identity"]  # it is a class and nothing else


def draw(generator: random.Random) -> dict[str, Any]:
    knobs = {name: generator.choice([None, False, True]) for name in NAMES}
    return {"level": generator.choice(["O0", "O1"]), "inplace": generator.choice([False, True]), **knobs}


@pytest.mark.parametrize(
    "values", list(itertools.product([False, True], repeat=len(COMBINED))), ids=lambda v: "".join(map(str, map(int, v)))
)
def test_every_combination_once_and_again(values: tuple[bool, ...]) -> None:
    model = net()
    made = optimize(model, **dict(zip(COMBINED, values, strict=True)))
    assert_near(run(made, image()), exact(model, image()), 4)
    again = optimize(made)
    assert_near(run(again, image()), exact(model, image()), 4)
    assert_same_state(again.state_dict(), model.state_dict())


@pytest.mark.parametrize("seed", range(6))
def test_chains_of_calls(seed: int) -> None:
    generator = random.Random(seed)
    model = made = net()
    model = copy.deepcopy(model)
    for step in range(4):
        made = optimize(made, **draw(generator))
        assert_near(run(made, image()), exact(model, image()), 4)
        assert_same_state(made.state_dict(), model.state_dict())
        if generator.random() < 0.5:
            model.load_state_dict(net(seed + step).state_dict())
            made.load_state_dict(model.state_dict())
            assert_near(run(made, image()), exact(model, image()), 4)


@pytest.mark.parametrize("seed", range(6))
def test_chains_of_calls_with_dtypes(seed: int) -> None:
    generator = random.Random(seed)
    made, expected = net(), copy.deepcopy(net().state_dict())
    dtype = None
    for _ in range(4):
        options = draw(generator)
        options["dtype"] = generator.choice([None, torch.bfloat16, torch.float16, torch.float32])
        made = optimize(made, **options)
        dtype = options["dtype"] if options["dtype"] in (torch.bfloat16, torch.float16) else dtype
        assert_same_state(made.state_dict(), expected)
        assert made.left.weight.dtype == (dtype or torch.float32)
        assert made.head.weight is made.embedding.weight
        if dtype is None:
            assert_near(run(made, image()), exact(net(), image()), 4)
    if dtype is not None:
        direct = optimize(net(), dtype=dtype)
        assert torch.equal(made.left.weight, direct.left.weight)


def test_bfloat16_after_float16_starts_from_float32() -> None:
    made = optimize(optimize(net(), dtype=torch.float16), dtype=torch.bfloat16)
    assert torch.equal(made.left.weight, net().left.weight.to(torch.bfloat16))
