"""Random programs without gradients, run on ipex with eager fusion and on the CPU, statement by statement the same.

    python -m tests.fusion.programs 20000 [--threads 2] [--seed 0] [--mixed]

A program has a few variables that hold tensors [2, 8, S, S]. Its statements convolve, normalise, multiply matrices, apply
element-wise operators out of place and in place, make views and aliases, write through them, delete and re-bind variables, write inputs and
parameters, and branch on values; at its end every variable is compared.

With `--mixed` programs run in automatic mixed precision and are compared with themselves without fusion: roundings to
bfloat16 differ then, so variables have to be alike only, and branches on values that are no clear matter are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex

CHANNELS, NAMES = 8, "abcde"
SIZES = (6,) * 7 + (48,)  # few tensors are so large that products wait and pages are given back
Variables = dict[str, Tensor]


random_numbers = threading.Lock()  # the generator is one for all threads


def start(seed: int) -> tuple[nn.ModuleList, Variables]:
    """Returns the layers and the first values of a program, on the CPU."""
    size = SIZES[seed % len(SIZES)]
    with random_numbers:
        torch.manual_seed(seed)
        kinds = [
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
            nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS),
            nn.Linear(size, size),
            nn.Linear(size, size, bias=False),
        ]
        norm = nn.BatchNorm2d(CHANNELS)
        assert norm.running_mean is not None
        norm.running_mean.normal_()
        variables = {name: torch.randn(2, CHANNELS, size, size) for name in NAMES}
        return nn.ModuleList([*kinds, norm]).eval().requires_grad_(False), variables


# fmt: off
UNARY: list[Callable[[Tensor], Tensor]] = [
    torch.relu, torch.sigmoid, torch.tanh, F.silu, F.gelu, F.hardswish, F.hardsigmoid, torch.abs, torch.neg,
    lambda t: t.clamp(-1, 1), lambda t: F.leaky_relu(t, 0.2), lambda t: t * 0.5, lambda t: t + 0.25, lambda t: t - 1,
    lambda t: torch.max_pool2d(t, 3, 1, 1), lambda t: t.clone(), lambda t: t.contiguous(memory_format=torch.channels_last),
    lambda t: t.cumsum(1) * 0.1, lambda t: F.pad(t[..., 1:], (1, 0)), lambda t: t.flip(0), lambda t: t.transpose(2, 3),
    lambda t: torch.cat([t[:, :3], t[:, 3:]], 1), lambda t: t.softmax(1), lambda t: t.detach(), lambda t: t.flatten(2).view_as(t) if t.is_contiguous() else t,
    lambda t: t.flatten(0, 2).mm(t[0, 0].t()).view_as(t) * 0.1, lambda t: torch.addmm(t[0, 0, 0], t.flatten(0, 2), t[0, 1] * 0.1).view_as(t),
    lambda t: (t.reshape(16, -1).relu() * 0.5).view(t.shape),
]
IN_PLACE: list[Callable[[Tensor], object]] = [
    lambda t: t.relu_(), lambda t: t.sigmoid_(), lambda t: t.tanh_(), lambda t: t.mul_(0.5), lambda t: t.add_(0.25), lambda t: t.clamp_(-1, 1),
    lambda t: F.hardswish(t, inplace=True), lambda t: F.silu(t, inplace=True), lambda t: t[:, 2:5].mul_(-1), lambda t: t[0].zero_(),
    lambda t: t.view(-1)[::7].fill_(0.5) if t.is_contiguous() else None, lambda t: t.data.mul_(0.9), lambda t: t.cumsum_(2),
    lambda t: t.copy_(t.flip(1)), lambda t: t.__setitem__((slice(None), 1), 0.3),
]
BINARY: list[Callable[[Tensor, Tensor], Tensor]] = [
    torch.add, torch.mul, torch.sub, torch.maximum, lambda s, t: torch.add(s, t, alpha=0.5), lambda s, t: torch.cat([s[:, :5], t[:, 5:]], 1), lambda s, t: s + t[:, :1],
    lambda s, t: (s @ t.transpose(2, 3)) * 0.05, lambda s, t: F.relu(torch.bmm(s.flatten(0, 1), t.flatten(0, 1)) * 0.05).view_as(s),
]
BINARY_IN_PLACE: list[Callable[[Tensor, Tensor], object]] = [
    lambda s, t: s.add_(t), lambda s, t: s.mul_(t), lambda s, t: s.copy_(t), lambda s, t: s.sub_(t, alpha=0.5), lambda s, t: s[:, :3].copy_(t[:, 5:]),
    lambda s, t: torch.add(s, t, out=s), lambda s, t: setattr(s, "data", t.data),
]
# fmt: on
Statement = Callable[[Variables, nn.ModuleList], None]


def bind(target: str, function: Callable[..., Tensor], *sources: str) -> Statement:
    """Returns the statement `target = function(sources)`."""

    def run(variables: Variables, layers: nn.ModuleList) -> None:
        variables[target] = function(*(variables[name] for name in sources))

    return run


def change(function: Callable[..., object], *sources: str) -> Statement:
    """Returns the statement `function(sources)`, which writes the first."""

    def run(variables: Variables, layers: nn.ModuleList) -> None:
        function(*(variables[name] for name in sources))

    return run


def apply_layer(target: str, index: int, source: str) -> Statement:
    """Returns the statement `target = layer(source)`."""

    def run(variables: Variables, layers: nn.ModuleList) -> None:
        variables[target] = layers[index](variables[source])

    return run


def block(target: str, index: int, function: Callable[[Tensor], Tensor], source: str, residual: str) -> Statement:
    """Returns the statement `target = function(norm(layer(source)) + residual)`."""

    def run(variables: Variables, layers: nn.ModuleList) -> None:
        out = layers[-1](layers[index](variables[source]))
        out += variables[residual]
        variables[target] = function(out)

    return run


def write_parameter(index: int, factor: float) -> Statement:
    """Returns a statement that changes the weight of a layer."""

    def run(variables: Variables, layers: nn.ModuleList) -> None:
        layers[index].weight.mul_(factor)

    return run


def branch(source: str, target: str, other: str) -> Statement:
    """Returns `if source.mean() > 0.1: target = other`."""

    def run(variables: Variables, layers: nn.ModuleList) -> None:
        if variables[source].mean().item() > 0.1:
            variables[target] = variables[other]

    return run


def statement(rng: random.Random, branches: bool = True) -> Statement:
    """Returns a random statement."""
    target, source, other = (rng.choice(NAMES) for _ in range(3))
    kind = rng.random()
    if kind < 0.15:
        return block(target, rng.randrange(5), rng.choice(UNARY), source, other)
    if kind < 0.35:
        return apply_layer(target, rng.randrange(6), source)
    if kind < 0.55:
        return bind(target, rng.choice(UNARY), source)
    if kind < 0.7:
        return change(rng.choice(IN_PLACE), source)
    if kind < 0.8:
        return bind(target, rng.choice(BINARY), source, other)
    if kind < 0.87:
        return change(rng.choice(BINARY_IN_PLACE), source, other)
    if kind < 0.92:
        return bind(target, lambda t: t, source)  # another name for the same tensor
    if kind < 0.96:
        return write_parameter(rng.randrange(5), rng.choice([0.9, -1.0]))
    return branch(source, target, other) if branches else bind(target, torch.clone, source)


def run(program: list[Statement], seed: int, device: str, mixed: bool = False) -> tuple[Variables, list[int]]:
    """Runs a program; returns its variables on the CPU and the statements that raised (overlapping memory)."""
    layers, values = start(seed)
    layers.to(device)
    variables = {name: tensor.to(device) for name, tensor in values.items()}
    mode = ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)) if mixed else contextlib.nullcontext()
    with torch.no_grad(), mode:
        refused = []
        for index, one in enumerate(program):
            try:
                one(variables, layers)
            except RuntimeError:  # overlapping memory; `check` compares who refused what
                refused.append(index)
        return {name: tensor.cpu() for name, tensor in variables.items()}, refused


def check(seed: int) -> None:
    """Runs the program of a seed on both devices.

    Raises:
        AssertionError: a variable differs from the one that the CPU computes by more than rounding, in float32 and float64.
    """
    rng = random.Random(seed)
    program = [statement(rng) for _ in range(rng.randint(3, 20))]
    (actual, refused), (expected, refused_by_cpu) = run(program, seed, "ipex"), run(program, seed, "cpu")
    assert refused == refused_by_cpu, f"program {seed}"
    for name in NAMES:
        assert actual[name].shape == expected[name].shape, f"program {seed}, variable {name}"
        torch.testing.assert_close(
            actual[name],
            expected[name],
            rtol=1e-3,
            atol=1e-3,
            equal_nan=True,
            msg=lambda text, name=name: f"program {seed}, {name}: {text}",
        )


def check_mixed(seed: int) -> None:
    """Runs the program of a seed in mixed precision, with fusion and without.

    Raises:
        AssertionError: a variable differs by more than roundings to bfloat16 of a few statements.
    """
    rng = random.Random(seed)
    program = [statement(rng, branches=False) for _ in range(rng.randint(3, 12))]
    actual, refused = run(program, seed, "ipex", mixed=True)
    torch.ipex.set_eager_fusion(False)
    try:
        expected, refused_unfused = run(program, seed, "ipex", mixed=True)
    finally:
        torch.ipex.set_eager_fusion(True)
    assert refused == refused_unfused, f"program {seed}"
    for name in NAMES:
        got, wanted = actual[name].double(), expected[name].double()
        assert got.shape == wanted.shape, f"program {seed}, variable {name}"
        assert torch.equal(got.isnan(), wanted.isnan()), f"program {seed}, variable {name}"
        got, wanted = got.nan_to_num(), wanted.nan_to_num()
        error = (got - wanted).norm() / wanted.norm().clamp_min(1e-2)
        assert error < 0.05, f"program {seed}, variable {name}: relative error {error:.2g}"


def check_many(count: int, threads: int, first: int = 0, check: Callable[[int], None] = check) -> None:
    """Checks programs in several threads at once.

    Raises:
        AssertionError: as `check`, for the first program that differs.
    """
    stop = threading.Event()

    def work(offset: int) -> None:
        for seed in range(first + offset, first + count, threads):
            if stop.is_set():
                return
            check(seed)

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, offset) for offset in range(threads)]
        wait(futures, return_when=FIRST_EXCEPTION)
        stop.set()
        for future in futures:
            future.result()


def main() -> None:
    parser = argparse.ArgumentParser(description="Random programs with eager fusion against the CPU.")
    parser.add_argument("count", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="the first program")
    parser.add_argument("--mixed", action="store_true", help="in automatic mixed precision; one thread")
    arguments = parser.parse_args()
    if arguments.mixed:  # fusion is switched for the whole process
        check_many(arguments.count, 1, arguments.seed, check_mixed)
    else:
        check_many(arguments.count, arguments.threads, arguments.seed)
    print(f"{arguments.count} programs agree; {torch.ipex.fusion_stats()}")


if __name__ == "__main__":
    main()
