"""Compiled models: compiled once, called often."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

import torch_ipex_device as ipex

from .networks import TOKENS, is_encoder
from .workload import DEVICE, Pair, Workload

_BATCHES = (2, 3, 4, 5, 6)
_SIZE = 24

Compiled = Callable[[Tensor], Tensor]


def _backend(pair: Pair, path: str) -> Compiled:
    before = ipex._get_compiler_backend()
    ipex._set_compiler_backend(path)
    try:
        made = torch.compile(copy.deepcopy(pair.cpu), backend="ipex", dynamic=True)
        _compile(made, pair)
    finally:
        ipex._set_compiler_backend(before)
    return made


def _default(pair: Pair) -> Compiled:
    made = torch.compile(copy.deepcopy(pair.ipex), dynamic=True)

    def run(batch: Tensor) -> Tensor:
        return made(batch.to(DEVICE))

    _compile(run, pair)
    return run


def _graph_mode(pair: Pair) -> Compiled:
    model: nn.Module = ipex.optimize(copy.deepcopy(pair.cpu), dtype=torch.float32, inplace=True, graph_mode=True)
    _compile(model, pair)
    return model


def _compile(call: Compiled, pair: Pair) -> None:
    with torch.no_grad():
        for count in _BATCHES:
            call(_batch(pair.cpu, count))


def _batch(model: nn.Module, count: int) -> Tensor:
    if is_encoder(model):
        return torch.randint(TOKENS, (count, _SIZE))
    return torch.randn(count, 3, _SIZE, _SIZE)


_WAYS: dict[str, Callable[[Pair], Compiled]] = {
    "backend ipex, inductor": partial(_backend, path="inductor"),
    "backend ipex, torchscript": partial(_backend, path="torchscript"),
    "default backend on ipex": _default,
    "optimize with graph_mode": _graph_mode,
}


def compiled(work: Workload) -> None:
    """A forward of a model that was compiled in one of the ways."""
    pair, way = work.pair(), work.choice.choice(list(_WAYS))
    run = work.keep(f"{way} {type(pair.cpu).__name__}", lambda: _WAYS[way](pair))
    batch = _batch(pair.cpu, work.choice.choice(_BATCHES))
    with torch.no_grad():
        work.agree(run(batch), lambda: pair.cpu(batch))


def prepare(work: Workload) -> None:
    """Compiles all models in all ways."""
    for pair in work.pairs:
        for way, make in _WAYS.items():
            work.keep(f"{way} {type(pair.cpu).__name__}", partial(make, pair))
