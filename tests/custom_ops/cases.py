"""One small call of every operator, what stock PyTorch says it computes, and how results are compared with that."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils import _pytree as pytree

OPS = torch.ops.torch_ipex
DEVICES = ("cpu", "ipex")
DTYPES = (torch.float32, torch.bfloat16, torch.float64)
ENOUGH = 30.0
"""Least signal-to-noise ratio of results in bfloat16, in dB. A wrong operator gives less than 5."""
FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}

POST_OPS: dict[str, Callable[[Tensor], Tensor]] = {
    "": lambda y: y,
    "elu": F.elu,
    "gelu": F.gelu,
    "gelu_tanh": lambda y: F.gelu(y, approximate="tanh"),
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "leaky_relu": F.leaky_relu,
    "mish": F.mish,
    "relu": F.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "tanh": torch.tanh,
}


@dataclass(frozen=True)
class Case:
    """A call.

    Attributes:
        operator: of `OPS`.
        arguments: on the CPU, tensors in float32; lists of tensors are arguments too.
        reference: what it computes, of the same arguments, in stock PyTorch.
    """

    operator: Callable[..., Any]
    arguments: tuple[Any, ...]
    reference: Callable[..., Any]


def numbers(*sizes: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Returns normal numbers on the CPU, the same for the same seed."""
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed)).to(dtype)


def converted(arguments: Any, to: Any) -> Any:
    """Returns the arguments with every tensor on a device, or every floating point tensor in a dtype."""
    return pytree.tree_map_only(
        Tensor, lambda t: t if isinstance(to, torch.dtype) and not t.is_floating_point() else t.to(to), arguments
    )


def convolution(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    transposed: bool = False,
    groups: int = 1,
    **extra: Any,
) -> Tensor:
    """The operator with numbers in place of lists."""
    n = w.dim() - 2
    return OPS.convolution(x, w, b, [stride] * n, [padding] * n, [dilation] * n, transposed, [0] * n, groups, **extra)


def stock_convolution(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    transposed: bool = False,
    groups: int = 1,
    other: Tensor | None = None,
    post_op: str = "",
    norm_mean: Tensor | None = None,
    norm_var: Tensor | None = None,
    norm_weight: Tensor | None = None,
    norm_bias: Tensor | None = None,
    norm_eps: float = 0.0,
) -> Tensor:
    """The same in stock PyTorch."""
    if x.dim() < w.dim():
        batched = None if other is None else other.unsqueeze(0)
        norm = (norm_mean, norm_var, norm_weight, norm_bias, norm_eps)
        return stock_convolution(
            x.unsqueeze(0), w, b, stride, padding, dilation, transposed, groups, batched, post_op, *norm
        ).squeeze(0)
    n = w.dim() - 2
    y = torch.ops.aten.convolution(x, w, b, [stride] * n, [padding] * n, [dilation] * n, transposed, [0] * n, groups)
    if norm_mean is not None:
        y = F.batch_norm(y, norm_mean, norm_var, norm_weight, norm_bias, False, 0.0, norm_eps)
    return POST_OPS[post_op](y if other is None else y + other)


def stock_linear(
    x: Tensor, w: Tensor, b: Tensor | None = None, other: Tensor | None = None, post_op: str = ""
) -> Tensor:
    """linear in stock PyTorch."""
    y = F.linear(x, w, b)
    return POST_OPS[post_op](y if other is None else y + other)


def statistics(channels: int) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    """Returns the five arguments of a batch norm, norm_mean to norm_eps."""
    mean, var, weight, bias = (numbers(channels, seed=40 + i) for i in range(4))
    return mean, var.abs() + 0.5, weight, bias, 1e-3


def lstm_arguments(
    inputs: int = 12, hidden: int = 16, layers: int = 2, bidirectional: bool = True, batch: int = 3, steps: int = 5
) -> tuple[Any, ...]:
    """Returns the arguments of lstm, in evaluation, with biases."""
    module = torch.nn.LSTM(inputs, hidden, layers, bidirectional=bidirectional)
    params = [numbers(*p.shape, seed=10 + i) * 0.3 for i, p in enumerate(module._flat_weights)]
    states = [numbers(layers * (1 + bidirectional), batch, hidden, seed=i) for i in (1, 2)]
    return numbers(steps, batch, inputs), states, params, True, layers, 0.0, False, bidirectional, False


CASES: dict[str, Case] = {
    "linear": Case(OPS.linear, (numbers(5, 64), numbers(32, 64, seed=1), numbers(32, seed=2)), stock_linear),
    "linear, all arguments": Case(
        OPS.linear,
        (numbers(2, 3, 64), numbers(32, 64, seed=1), numbers(32, seed=2), numbers(2, 3, 32, seed=3), "gelu"),
        stock_linear,
    ),
    "convolution": Case(
        OPS.convolution,
        (
            numbers(2, 8, 7, 7),
            numbers(16, 8, 3, 3, seed=1),
            numbers(16, seed=2),
            [1, 1],
            [1, 1],
            [1, 1],
            False,
            [0, 0],
            1,
        ),
        torch.ops.aten.convolution,
    ),
    "convolution, all arguments": Case(
        lambda *a: convolution(*a[:3], padding=1, **dict(zip(NORM, a[3:], strict=True))),
        (
            numbers(2, 8, 7, 7),
            numbers(16, 8, 3, 3, seed=1),
            numbers(16, seed=2),
            numbers(2, 16, 7, 7, seed=3),
            "relu",
            *statistics(16),
        ),
        lambda *a: stock_convolution(*a[:3], padding=1, **dict(zip(NORM, a[3:], strict=True))),
    ),
    "convolution, unbatched": Case(
        OPS.convolution,
        (numbers(8, 9), numbers(16, 8, 3, seed=1), None, [2], [1], [1], False, [0], 1),
        lambda x, *rest: torch.ops.aten.convolution(x.unsqueeze(0), *rest).squeeze(0),
    ),
    "convolution, transposed": Case(
        OPS.convolution,
        (numbers(2, 8, 5, 5), numbers(8, 4, 3, 3, seed=1), None, [2, 2], [1, 1], [1, 1], True, [1, 1], 2),
        torch.ops.aten.convolution,
    ),
    "convolution_backward": Case(
        OPS.convolution_backward,
        (
            numbers(2, 16, 7, 7, seed=3),
            numbers(2, 8, 7, 7),
            numbers(16, 8, 3, 3, seed=1),
            [1, 1],
            [1, 1],
            [1, 1],
            False,
            [0, 0],
            1,
            [True, True, True],
        ),
        lambda g, x, w, *rest: torch.ops.aten.convolution_backward(g, x, w, [w.shape[0]], *rest),
    ),
    "gelu": Case(OPS.gelu, (numbers(5, 64),), F.gelu),
    "gelu, tanh": Case(OPS.gelu, (numbers(5, 64), "tanh"), lambda x, kind: F.gelu(x, approximate=kind)),
    "layer_norm": Case(
        OPS.layer_norm, (numbers(5, 64), [64], numbers(64, seed=1), numbers(64, seed=2), 1e-5), F.layer_norm
    ),
    "lstm": Case(OPS.lstm, lstm_arguments(), torch._VF.lstm),
    "product": Case(OPS.product, (numbers(5, 64), numbers(64, 32, seed=1)), torch.mm),
    "product, bias": Case(
        OPS.product,
        (numbers(5, 64), numbers(64, 32, seed=1), numbers(32, seed=2)),
        lambda left, right, bias: torch.addmm(bias, left, right),
    ),
    "scaled_dot_product_attention": Case(
        OPS.scaled_dot_product_attention,
        tuple(numbers(2, 4, 9, 16, seed=i) for i in range(3)),
        F.scaled_dot_product_attention,
    ),
    "scaled_dot_product_attention, masked": Case(
        OPS.scaled_dot_product_attention,
        (*(numbers(2, 4, 9, 16, seed=i) for i in range(3)), numbers(9, 9, seed=4)),
        F.scaled_dot_product_attention,
    ),
}
NORM = ("other", "post_op", "norm_mean", "norm_var", "norm_weight", "norm_bias", "norm_eps")


def flat(result: Any) -> list[Tensor]:
    """Returns the tensors of a result."""
    return [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, Tensor)]


def assert_close(actual: Any, expected: Any) -> None:
    """Asserts that results are those of float64, as near as their dtype allows."""
    for a, e in zip(flat(actual), flat(expected), strict=True):
        assert a.shape == e.shape
        found, wanted = a.detach().cpu().double(), e.detach().cpu().double()
        if a.dtype == torch.bfloat16:
            assert torch.equal(found.isnan(), wanted.isnan())
            noise, power = (t.nan_to_num().square().sum().item() for t in (found - wanted, wanted))
            assert noise <= 1e-12 * wanted.numel() or 10 * math.log10(power / noise + 1e-300) > ENOUGH
        else:
            tolerance = 2e-5 if a.dtype == torch.float32 else 1e-12
            torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance, equal_nan=True)


def check(case: Case, dtype: torch.dtype, device: str) -> None:
    """Asserts that a call, and the same call again, gives what the reference gives in float64 for the same numbers."""
    arguments = converted(case.arguments, dtype)
    expected = case.reference(*converted(arguments, torch.float64))
    there = converted(arguments, device)
    first = flat(case.operator(*there))
    assert_close(first, expected)
    for tensor in first:
        assert tensor.dtype == dtype and tensor.device.type == device
    second = flat(case.operator(*there))  # makes copies of weights, which the third uses
    assert_close(second, expected)
    for again, before in zip(flat(case.operator(*there)), second, strict=True):
        torch.testing.assert_close(again, before, rtol=0, atol=0, equal_nan=True)
