"""oneDNN keeps the code of convolutions with an activation inside; when there are too many, activations run apart."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

import torch_ipex_device as ipex
from device.programs import run_program
from primitives import MOST_LASTING, forget_primitives
from torch_ipex_device import _C

WEIGHT = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(0))


def lasting() -> int:
    return _C.primitive_cache_stats()["lasting"]


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """Primitives of other tests, and those that were refused, are forgotten."""
    forget_primitives()
    yield
    _C.set_most_lasting_primitives(MOST_LASTING)
    forget_primitives()


def fused_with(width: int, activation=F.relu) -> list[str]:
    """Runs a convolution and an activation; returns what was fused with the convolution."""
    x = torch.randn(1, 4, 9, width)
    weight = WEIGHT.to("ipex")
    with torch.no_grad(), ipex.explain() as explanation:
        result = activation(F.conv2d(x.to("ipex"), weight)).cpu()
    exact = activation(F.conv2d(x.double(), WEIGHT.double()))
    torch.testing.assert_close(result.double(), exact, rtol=1e-5, atol=1e-5)
    assert not any(row.path == "fallback" for row in explanation.rows), str(explanation)
    return [row.fused for row in explanation.rows if row.operator.split("+")[0] == "convolution"]


@pytest.mark.parametrize("activation", [F.relu, F.silu], ids=lambda f: f.__name__)
def test_activations_of_more_sizes_run_apart(activation):
    _C.set_most_lasting_primitives(lasting() + 2)
    before = lasting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [fused_with(width, activation) for width in (9, 10, 11, 12, 9, 11)]
    name = activation.__name__
    assert found == [[name], [name], [""], [""], [name], [""]]
    assert lasting() == before + 2


def test_sums_stay_inside():
    """Their code is freed."""
    _C.set_most_lasting_primitives(lasting())
    x, other = torch.randn(1, 4, 9, 9), torch.randn(1, 8, 7, 7)
    with torch.no_grad(), ipex.explain() as explanation:
        result = F.conv2d(x.to("ipex"), WEIGHT.to("ipex")) + other.to("ipex") * 2
        result = result.cpu()
    torch.testing.assert_close(result, F.conv2d(x, WEIGHT) + other * 2, rtol=1e-5, atol=1e-5)
    assert [row.fused for row in explanation.rows if row.operator.split("+")[0] == "convolution"] == ["add"]


def test_it_is_said_once():
    """In a process of its own, where nothing was said before."""
    program = """
import torch, torch_ipex_device, warnings
import torch.nn.functional as F
torch_ipex_device._C.set_most_lasting_primitives(1)
with torch.no_grad(), warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for width in range(5, 10):
        F.conv2d(torch.ones(1, 4, 9, width, device="ipex"), torch.ones(8, 4, 3, 3, device="ipex")).relu().cpu()
found = [str(each.message) for each in said]
assert len(found) == 1 and "1 convolutions" in found[0] and "padded" in found[0], found
"""
    run_program(program)


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="E103 got -1"):
        _C.set_most_lasting_primitives(-1)
