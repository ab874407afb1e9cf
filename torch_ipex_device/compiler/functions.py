"""The table of functions that passes know, as they stand in graphs that Dynamo captured."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

_DEFAULTS: dict[str, Any] = {"bias": None, "stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 1}
_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
_NORM = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")

CONVOLUTIONS: dict[Any, tuple[int, tuple[str, ...]]] = {
    torch.conv1d: (1, _CONVOLUTION),
    torch.conv2d: (2, _CONVOLUTION),
    torch.conv3d: (3, _CONVOLUTION),
    torch.conv_transpose1d: (1, _TRANSPOSED),
    torch.conv_transpose2d: (2, _TRANSPOSED),
    torch.conv_transpose3d: (3, _TRANSPOSED),
}
"""Number of spatial dimensions, and names of the arguments."""

_UNARY: dict[Any, str] = {
    torch.relu: "relu",
    torch.relu_: "relu",
    F.relu: "relu",
    "relu": "relu",
    "relu_": "relu",
    torch.sigmoid: "sigmoid",
    torch.sigmoid_: "sigmoid",
    F.sigmoid: "sigmoid",
    "sigmoid": "sigmoid",
    "sigmoid_": "sigmoid",
    torch.tanh: "tanh",
    F.tanh: "tanh",
    "tanh": "tanh",
    F.silu: "silu",
    F.mish: "mish",
    F.elu: "elu",
    F.hardswish: "hardswish",
    F.hardsigmoid: "hardsigmoid",
    F.leaky_relu: "leaky_relu",
    F.relu6: "relu6",
}
_GELU = {"none": "gelu", "tanh": "gelu_tanh"}
_ADD = (operator.add, operator.iadd, torch.add, "add", "add_")
_STATE = ("_enter_autocast", "_exit_autocast", "_set_grad_enabled", "_enter_inference_mode", "_exit_inference_mode")


def function(node: fx.Node) -> Any:
    """Returns what a node calls: a function, or the name of a method of its first argument; None for other nodes."""
    return node.target if node.op in ("call_function", "call_method") else None


def arguments(node: fx.Node, names: tuple[str, ...]) -> dict[str, Any]:
    """Returns the arguments of a call by name, those that were left out with their defaults."""
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    return {name: given.get(name, _DEFAULTS.get(name)) for name in names}


def value_of(node: Any) -> torch.Tensor | None:
    """Returns the fake result of a node; None when it is no tensor."""
    value = node.meta.get("example_value") if isinstance(node, fx.Node) else None
    return value if isinstance(value, torch.Tensor) else None


def convolution(node: fx.Node) -> tuple[Any, ...] | None:
    """Returns the arguments of `aten::convolution` for a call in `CONVOLUTIONS`.

    None for other nodes, for one image without a batch, and for the padding "same".
    """
    row = CONVOLUTIONS.get(function(node))
    if row is None:
        return None
    spatial, names = row
    given = arguments(node, names)
    value = value_of(given["input"])

    def numbers(name: str) -> list[Any]:
        values = given.get(name, 0)
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        return values * spatial if len(values) == 1 else values

    if value is None or value.dim() != spatial + 2 or given["padding"] == "same":
        return None
    if given["padding"] == "valid":
        given["padding"] = 0
    geometry = (numbers("stride"), numbers("padding"), numbers("dilation"), "output_padding" in names)
    return (
        *(given[name] for name in ("input", "weight", "bias")),
        *geometry,
        numbers("output_padding"),
        given["groups"],
    )


def unary(node: fx.Node, src: fx.Node) -> str | None:
    """Returns the name of the post-op that a node computes of `src`; None when it is none."""
    called = function(node)
    if not node.args or node.args[0] is not src:
        return None
    if called is torch._C._nn.gelu:
        return _GELU.get(str(node.kwargs.get("approximate", "none"))) if len(node.args) == 1 else None
    options = [*node.args[1:], *(value for name, value in node.kwargs.items() if name != "inplace")]
    is_default = all(isinstance(option, bool) for option in options)  # `inplace`, given by position
    return _UNARY.get(called) if is_default and called is not None else None


def addend(node: fx.Node, src: fx.Node) -> fx.Node | None:
    """Returns what a node adds to `src`; None when it is no sum of two tensors of one size and dtype."""
    called = function(node)
    if called not in _ADD or len(node.args) != 2 or node.kwargs:
        return None
    if node.args[0] is not src and (node.args[1] is not src or mutates(node)):
        return None
    other = node.args[1] if node.args[0] is src else node.args[0]
    mine, value = value_of(src), value_of(other)
    if other is src or mine is None or value is None or value.shape != mine.shape or value.dtype != mine.dtype:
        return None
    return other if isinstance(other, fx.Node) else None


@dataclass(frozen=True)
class Norm:
    """A batch norm with known statistics."""

    mean: fx.Node
    var: fx.Node
    weight: fx.Node | None
    bias: fx.Node | None
    eps: float


def batch_norm(node: fx.Node, src: fx.Node) -> Norm | None:
    """Returns the batch norm that a node computes of `src`, from known statistics; None when it does not."""
    if function(node) is not F.batch_norm:
        return None
    given = arguments(node, _NORM)
    if given["input"] is not src or given["training"] or given["running_mean"] is None or given["running_var"] is None:
        return None
    eps = 1e-5 if given["eps"] is None else given["eps"]
    return Norm(given["running_mean"], given["running_var"], given["weight"], given["bias"], eps)


def mutates(node: fx.Node) -> bool:
    """Whether a node may change a tensor, or a state, that others see."""
    called = function(node)
    if called is None:
        return False
    name = called if isinstance(called, str) else getattr(called, "__name__", "")
    in_place = node.kwargs.get("inplace") or any(argument is True for argument in node.args[1:])
    is_underscored = name.endswith("_") and not name.endswith("__")
    return bool(in_place or is_underscored or name in _STATE or name in ("setitem", "iadd", "imul", "isub", "itruediv"))
