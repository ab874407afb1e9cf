"""Runs programs compiled, and says what came of it."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import fx, nn

from torch_ipex_device.compiler.fuse import fuse


class Fused:
    """A backend that rewrites graphs, as the paths do, and runs them eagerly.

    Args:
        trains: whether gradients are recorded.

    Attributes:
        graphs: those that it got, rewritten.
    """

    def __init__(self, trains: bool = False) -> None:
        self.graphs: list[fx.GraphModule] = []
        self._trains = trains

    def __call__(self, graph: fx.GraphModule, example_inputs: list[Any]) -> Callable[..., Any]:
        fuse(graph, self._trains)
        self.graphs.append(graph)
        return graph.forward


def ours(graph: fx.GraphModule) -> list[str]:
    """Returns the names of our operators in a graph, in order, with what they compute beside the product."""
    found = []
    for node in graph.graph.nodes:
        if isinstance(node.target, torch._ops.OpOverload) and node.target.namespace == "torch_ipex":
            parts = [node.target._opname]
            parts += ["norm"] * ("norm_mean" in node.kwargs) + ["other"] * ("other" in node.kwargs)
            parts += [node.kwargs["post_op"]] if node.kwargs.get("post_op") else []
            found.append("+".join(parts))
    return found


def compiled(model: nn.Module | Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Returns a compiled copy of a model, or a compiled function."""
    return torch.compile(copy.deepcopy(model) if isinstance(model, nn.Module) else model, backend="ipex", **options)


def assert_close(actual: Any, expected: Any, coefficient: float = 4) -> None:
    """Asserts that float32 results are those of stock PyTorch, but for the order of sums."""
    torch.testing.assert_close(actual, expected, rtol=coefficient * 1.3e-6, atol=coefficient * 1e-5)


class Warnings:
    """Collects what the package logs."""

    def __init__(self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
        logger = logging.getLogger("torch_ipex_device")
        monkeypatch.setattr(logger, "propagate", True)
        self._caplog = caplog

    @property
    def texts(self) -> list[str]:
        """The warnings so far."""
        records = [record for record in self._caplog.records if record.name == "torch_ipex_device"]
        return [record.getMessage() for record in records if record.levelno >= logging.WARNING]
