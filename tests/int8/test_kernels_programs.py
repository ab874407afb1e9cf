"""Random programs in int8 against the reference, statement by statement the same."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .comparing import needs_exact_sums
from .running import Program, Ties, batch_norm, check, values

NAMES, CHANNELS = "abc", 8
Statement = Callable[[nn.Module, dict[str, Tensor]], object]

# fmt: off
UNARY: list[Callable[[Tensor], Tensor]] = [
    torch.relu, F.hardswish, torch.sigmoid, F.silu, F.gelu, F.hardsigmoid, F.relu6, lambda t: F.hardtanh(t, -0.5, 0.7),
    torch.tanh, lambda t: F.leaky_relu(t, 0.2), lambda t: t * 0.7, lambda t: t + 0.2, lambda t: F.max_pool2d(t, 3, 1, 1),
    lambda t: F.avg_pool2d(t, 3, 1, 1), lambda t: t.clone(), lambda t: torch.cat([t[:, 4:], t[:, :4]], 1), lambda t: t.flip(0),
    lambda t: t * torch.sigmoid(F.adaptive_avg_pool2d(t, 1)), lambda t: t.contiguous(memory_format=torch.channels_last),
]
IN_PLACE: list[Callable[[Tensor], object]] = [
    lambda t: t.relu_(), lambda t: F.hardswish(t, inplace=True), lambda t: t.sigmoid_(), lambda t: F.relu6(t, inplace=True),
    lambda t: t.mul_(0.8), lambda t: t.tanh_(), lambda t: t.__setitem__((slice(None), 1), 0.3),
]
BINARY: list[Callable[[Tensor, Tensor], Tensor]] = [
    torch.add, torch.add, torch.mul, lambda s, t: torch.add(s, t, alpha=-0.5), lambda s, t: torch.cat([s[:, :4], t[:, 4:]], 1),
    lambda s, t: torch.cat([s, t], 1)[:, 4:12], torch.sub,
]
BINARY_IN_PLACE: list[Callable[[Tensor, Tensor], object]] = [
    lambda s, t: s.add_(t), lambda s, t: s.mul_(t), lambda s, t: s.add_(t, alpha=0.3),
]
# fmt: on


def bind(target: str, function: Callable[..., Tensor], *sources: str) -> Statement:
    """Returns the statement `target = function(sources)`."""
    return lambda m, v: v.__setitem__(target, function(*(v[name] for name in sources)))


def write(function: Callable[..., object], target: str, *sources: str) -> Statement:
    """Returns the statement `function(target, sources)`, which is left out when a source is the target."""

    def run(m: nn.Module, v: dict[str, Tensor]) -> None:
        if all(v[target] is not v[name] for name in sources):
            function(v[target], *(v[name] for name in sources))

    return run


def layer(target: str, name: str, source: str) -> Statement:
    """Returns the statement `target = m.name(source)`."""
    return lambda m, v: v.__setitem__(target, getattr(m, name)(v[source]))


def statement(rng: random.Random) -> Statement:
    """Returns a random statement."""
    target, source, other = (rng.choice(NAMES) for _ in range(3))
    kind = rng.random()
    if kind < 0.4:
        return layer(target, rng.choice(["conv", "point", "depthwise", "norm"]), source)
    if kind < 0.6:
        return bind(target, rng.choice(UNARY), source)
    if kind < 0.7:
        return write(rng.choice(IN_PLACE), source)
    if kind < 0.88:
        return bind(target, rng.choice(BINARY), source, other)
    if kind < 0.95:
        return write(rng.choice(BINARY_IN_PLACE), source, other)
    return bind(target, lambda t: t, source)


def program(seed: int) -> Program:
    """Returns a program of 3 to 10 statements between two convolutions."""
    rng = random.Random(seed)
    statements = [statement(rng) for _ in range(rng.randint(3, 10))]

    def body(m, x):
        variables = {name: stem(x) for name, stem in zip(NAMES, m.stems, strict=True)}
        for each in statements:
            each(m, variables)
        return m.last(torch.cat([variables[name] for name in NAMES], 1))

    torch.manual_seed(seed)
    return Program(
        body,
        stems=nn.ModuleList([nn.Conv2d(3, CHANNELS, 1) for _ in NAMES]),
        conv=nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        point=nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False),
        depthwise=nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS),
        norm=batch_norm(CHANNELS),
        last=nn.Conv2d(len(NAMES) * CHANNELS, 4, 1),
    )


def run(seed: int) -> None:
    """Checks the program of a seed; some operators compute in float32."""
    rng = random.Random(seed)

    def edit(entries):
        for entry in entries[:-2]:
            entry.quantized = rng.random() < 0.9
            entry.outputs_scale = [entry.outputs_scale[0] * rng.choice([0.6123, 1, 1, 1.3217])]

    layout = torch.channels_last if seed % 3 == 0 else torch.contiguous_format
    check(program(seed), values(1, 3, 4, 3, layout=layout), edit, falls_back=None)


@needs_exact_sums
@pytest.mark.parametrize("seed", range(40))
def test_program(seed):
    for other in range(seed, 10_000, 1000):
        with contextlib.suppress(Ties):
            return run(other)
    raise AssertionError("no program without ties")
