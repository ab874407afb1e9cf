"""What the pass makes of graphs: which operators join, and which may not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from accuracy import sqnr

from .running import Fused, assert_close, ours

torch.manual_seed(0)
CONV = nn.Conv2d(4, 4, 3, padding=1)
NORM = nn.BatchNorm2d(4).eval()
LINEAR = nn.Linear(8, 8)
IMAGE = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
assert NORM.running_mean is not None
assert NORM.running_var is not None
NORM.running_mean.normal_()
NORM.running_var.uniform_(0.5, 1)

# fmt: off
JOINS: dict[str, tuple[Callable[[Tensor], Tensor], list[str]]] = {
    "alone": (CONV, ["convolution"]),
    "batch norm": (lambda x: NORM(CONV(x)), ["convolution+norm"]),
    "residual block": (lambda x: F.relu(NORM(CONV(x)) + x), ["convolution+norm+other+relu"]),
    "in place": (lambda x: F.relu(NORM(CONV(x)).add_(x), inplace=True), ["convolution+norm+other+relu"]),
    "augmented": (lambda x: augmented(CONV(x), x), ["convolution+other"]),
    "other side": (lambda x: x + CONV(x), ["convolution+other"]),
    "two convolutions": (lambda x: CONV(x) + NORM(CONV(x)), ["convolution+norm", "convolution+other"]),
    "silu": (lambda x: F.silu(CONV(x)), ["convolution+silu"]),
    "gelu": (lambda x: F.gelu(LINEAR(x)), ["linear+gelu"]),
    "tanh gelu": (lambda x: F.gelu(LINEAR(x), approximate="tanh"), ["linear+gelu_tanh"]),
    "method": (lambda x: LINEAR(x).relu_(), ["linear+relu"]),
    "positional inplace": (lambda x: F.relu(LINEAR(x), True), ["linear+relu"]),
    "addmm": (lambda x: torch.addmm(LINEAR.bias, x.reshape(-1, 8), LINEAR.weight), ["linear"]),
    "depthwise": (lambda x: F.hardswish(F.conv2d(x, CONV.weight[:, :1], groups=4)), ["convolution+hardswish"]),
    "transposed": (lambda x: F.relu(F.conv_transpose2d(x, CONV.weight, stride=2, output_padding=1)), ["convolution+relu"]),
    "valid": (lambda x: F.conv2d(x, CONV.weight, padding="valid"), ["convolution"]),
    "keyword arguments": (lambda x: F.conv2d(x, bias=CONV.bias, weight=CONV.weight, padding=(1, 0)), ["convolution"]),
    "1-d": (lambda x: F.relu(F.conv1d(x[:, :, 0], CONV.weight[:, :, 0])), ["convolution+relu"]),
    "attention": (lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True), ["scaled_dot_product_attention"]),
    "stops at the second function": (lambda x: torch.tanh(F.relu(CONV(x))), ["convolution+relu"]),
    "stops at the second sum": (lambda x: CONV(x) + x + x, ["convolution+other"]),
}
STAYS: dict[str, tuple[Callable[[Tensor], Tensor], list[str]]] = {
    "seen twice": (lambda x: (y := CONV(x)) * F.relu(y), ["convolution"]),
    "seen after it was changed": (lambda x: (y := CONV(x)) * y.relu_(), ["convolution"]),
    "training norm": (lambda x: F.batch_norm(CONV(x), None, None, training=True), ["convolution"]),
    "scaled sum": (lambda x: torch.add(CONV(x), x, alpha=2), ["convolution"]),
    "broadcast sum": (lambda x: CONV(x) + x[:, :1], ["convolution"]),
    "number": (lambda x: CONV(x) + 1, ["convolution"]),
    "itself": (lambda x: (y := CONV(x)) + y, ["convolution"]),
    "input changed between": (lambda x: changed_between(x.clone()), ["convolution"]),
    "sum into the other": (lambda x: x.clone().add_(CONV(x)), ["convolution"]),
    "slope": (lambda x: F.leaky_relu(CONV(x), 0.3), ["convolution"]),
    "same padding": (lambda x: F.conv2d(x, CONV.weight, padding="same"), []),
    "unbatched": (lambda x: CONV(x[0]), []),
    "float64": (lambda x: F.linear(x.double(), LINEAR.weight.double()), []),
}
# fmt: on


def augmented(y: Tensor, x: Tensor) -> Tensor:
    y += x
    return y


def changed_between(x: Tensor) -> Tensor:
    y = CONV(x)
    x.mul_(2)
    return F.relu(y) + x


@pytest.mark.parametrize("name", [*JOINS, *STAYS])
def test_operators_and_results(name: str) -> None:
    program, expected = {**JOINS, **STAYS}[name]
    backend = Fused()
    with torch.no_grad():
        assert_close(torch.compile(program, backend=backend)(IMAGE), program(IMAGE))
    (graph,) = backend.graphs
    assert ours(graph) == expected, graph.code


def test_training_replaces_operators_one_by_one() -> None:
    backend = Fused(trains=True)
    program, _ = JOINS["residual block"]
    assert_close(torch.compile(program, backend=backend)(IMAGE), program(IMAGE))
    assert ours(backend.graphs[0]) == ["convolution"]


def test_autocast_regions_are_not_crossed() -> None:
    def program(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            y = CONV(x)
        return F.relu(y)

    backend = Fused()
    with torch.no_grad():
        assert sqnr(torch.compile(program, backend=backend)(IMAGE), program(IMAGE)) > 40
    assert ours(backend.graphs[0]) == ["convolution"]
