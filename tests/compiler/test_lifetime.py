"""What is compiled keeps no weight alive: after `del` and `torch._dynamo.reset()` all memory of the device is free."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex

WIDTH = 1024
WEIGHT_BYTES = 4 * WIDTH * WIDTH


def on_path(path: str) -> Callable[[nn.Module], Callable[[Tensor], Tensor]]:
    def compiled(model: nn.Module) -> Callable[[Tensor], Tensor]:
        ipex._set_compiler_backend(path)
        return torch.compile(model, backend="ipex")

    return compiled


def graph_mode(model: nn.Module) -> Callable[[Tensor], Tensor]:
    return ipex.optimize(model, dtype=torch.float32, inplace=True, graph_mode=True)


WAYS = {
    "backend ipex, inductor": ("cpu", on_path("inductor")),
    "backend ipex, torchscript": ("cpu", on_path("torchscript")),
    "backend ipex on the device": ("ipex", on_path("inductor")),
    "default backend on the device": ("ipex", torch.compile),
    "graph_mode": ("cpu", graph_mode),
    "graph_mode on the device": ("ipex", graph_mode),
}


def build() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH)).eval()


def allocated() -> int:
    gc.collect()
    return torch.ipex.memory_allocated()


CASES = [(way, trains) for way in WAYS for trains in (False, True) if not (trains and "graph_mode" in way)]


@pytest.mark.parametrize(("way", "trains"), CASES)
def test_nothing_is_left(way: str, trains: bool) -> None:
    device, compiled = WAYS[way]
    before = allocated()
    model = build().to(device)
    run = compiled(model.train(trains))
    x = torch.randn(3, WIDTH, device=device)
    with torch.set_grad_enabled(trains):
        for _ in range(3):
            y = run(x)
            if trains:
                y.sum().backward()
    weights = [weakref.ref(parameter) for parameter in model.parameters()]
    del model, run, x, y
    torch._dynamo.reset()
    assert allocated() <= before + WEIGHT_BYTES // 100
    assert [weight() for weight in weights] == [None] * len(weights)


def test_trace_that_changed_weights_replace_is_gone() -> None:
    stock, model, x = build(), graph_mode(build()), torch.randn(3, WIDTH)
    before = allocated()
    with torch.no_grad():
        for _ in range(5):
            for each in (stock, model):
                each[0].weight.mul_(0.5)
            torch.testing.assert_close(model(x), stock(x), rtol=1e-4, atol=1e-4)
    traced = eager = 2 * WEIGHT_BYTES  # tracing runs the model first, whose layers keep packed weights as well
    assert allocated() <= before + 1.01 * (traced + eager)
