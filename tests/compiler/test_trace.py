"""Traces that own their graphs: right answers, and nothing left once they are gone."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device.compiler.trace import frozen_trace

WIDTH = 512
WEIGHT_BYTES = 4 * WIDTH * WIDTH


class Counting(nn.Module):
    """Writes a buffer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1)
        return x + self.count


class Signed(nn.Module):
    """Branches on values, so it has to be scripted."""

    def forward(self, x: Tensor) -> Tensor:
        if bool(x.sum() > 0):
            return x * 2
        return x - 1


class Holder(nn.Module):
    """A script module under two names, among ordinary ones, of which one has two names too."""

    def __init__(self) -> None:
        super().__init__()
        self.signed, self.linear = torch.jit.script(Signed()), nn.Linear(2, 2)
        self.same, self.part = self.signed, nn.Sequential(self.linear, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.same(self.part(self.linear(self.signed(x))))
        return result


@pytest.fixture(autouse=True)
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


def allocated() -> int:
    gc.collect()
    return torch.ipex.memory_allocated()


def test_weights_go_with_the_function() -> None:
    before, x = allocated(), torch.ones(2, WIDTH)
    model = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()).eval().to(ipex.DEVICE)
    function = frozen_trace(model, (x.to(ipex.DEVICE),))
    expected = model(x.to(ipex.DEVICE)).cpu()
    del model
    assert allocated() >= before + WEIGHT_BYTES
    assert torch.equal(function(x.to(ipex.DEVICE)).cpu(), expected)
    del function
    assert allocated() == before


def test_script_modules_of_the_program_stay_as_they_are() -> None:
    model, x = Holder().eval(), torch.tensor([[1.0, 2.0]])
    function = frozen_trace(model, (x,))
    for each in (x, -x):
        assert torch.equal(function(each), model(each))
    assert torch.equal(model.signed(x), 2 * x)
    assert torch.equal(model.signed(-x), -x - 1)


def test_module_that_writes_its_buffer() -> None:
    model, x = Counting().eval(), torch.zeros(2)
    function = frozen_trace(model, (x,))
    first = function(x)
    assert torch.equal(function(x), first + 1)


def test_several_results() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x + 1, x * 2

    results = frozen_trace(Two().eval(), (torch.zeros(2),))(torch.ones(2))
    torch.testing.assert_close(results, (torch.full((2,), 2.0), torch.full((2,), 2.0)))
