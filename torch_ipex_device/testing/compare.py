"""Compares what ran on ipex with what ran on CPU: structure, type, device, metadata and values."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn.utils.rnn import PackedSequence
from torch.testing import assert_close
from torch.testing._comparison import default_tolerances

from .flatten import components

IPEX = torch.device("ipex", 0)


Coefficient = float | tuple[float, float]
"""Factor on both tolerances, or one on the relative and one on the absolute."""


class Mismatch(AssertionError):
    """What ran on ipex differs from what ran on CPU."""


def assert_same(
    actual: object,
    expected: object,
    *,
    where: str = "result",
    device: torch.device | None = IPEX,
    values: bool = True,
    coefficient: Coefficient = 1.0,
) -> None:
    """Asserts that `actual`, computed on ipex, is what `expected` is on CPU.

    Tensors must agree in type, shape, stride, storage offset, dtype, layout, conjugate and negative bit,
    requires_grad and values; those of `actual` must live on `device`. Integers and booleans must be equal, floating
    point values may differ by the tolerance that `torch.testing.assert_close` has for their dtype times `coefficient`.

    Args:
        actual: Any nesting of lists, tuples and dictionaries of tensors and Python values.
        expected: The same on CPU.
        where: How error messages call the pair.
        device: Where the tensors of `actual` must be, default ipex; None accepts any place.
        values: Whether the values of tensors count, default True; False for uninitialised memory.
        coefficient: Factor on the tolerances, default 1.

    Raises:
        Mismatch: naming the place and the two sides.
    """
    if isinstance(expected, torch.Tensor):
        if not isinstance(actual, torch.Tensor):
            raise Mismatch(f"{where}: got {type(actual).__name__}, CPU gives a tensor")
        if device is not None:
            _differ(where, "device", actual.device, device)
        _assert_same_tensor(actual, expected, where, values, coefficient)
        return
    if type(actual) is not type(expected):
        raise Mismatch(f"{where}: type is {type(actual).__name__}, on CPU {type(expected).__name__}")

    def descend(left: object, right: object, step: str) -> None:
        assert_same(left, right, where=where + step, device=device, values=values, coefficient=coefficient)

    if isinstance(expected, PackedSequence):
        _assert_same_packed(actual, expected, descend)  # type: ignore[arg-type]
    elif isinstance(expected, list | tuple):
        _differ(where, "length", len(actual), len(expected))  # type: ignore[arg-type]
        for index, (left, right) in enumerate(zip(actual, expected, strict=True)):  # type: ignore[call-overload]
            descend(left, right, f"[{index}]")
    elif isinstance(expected, dict):
        _differ(where, "keys", list(actual), list(expected))  # type: ignore[call-overload]
        for key, right in expected.items():
            descend(actual[key], right, f"[{key!r}]")  # type: ignore[index]
    elif isinstance(expected, float | complex):
        _assert_same_strided(torch.tensor(actual), torch.tensor(expected), where, values, coefficient)
    elif isinstance(expected, torch.device):
        _differ(where, "device", actual, IPEX)
    else:
        _differ(where, "value", actual, expected)


def _assert_same_packed(
    actual: PackedSequence, expected: PackedSequence, descend: Callable[[object, object, str], None]
) -> None:
    """`batch_sizes` stays on CPU whatever the device, as on CUDA."""
    for name in ("data", "sorted_indices", "unsorted_indices"):
        descend(getattr(actual, name), getattr(expected, name), f".{name}")
    assert_close(actual.batch_sizes, expected.batch_sizes, rtol=0, atol=0)


def _assert_same_tensor(
    actual: torch.Tensor, expected: torch.Tensor, where: str, values: bool, coefficient: Coefficient
) -> None:
    for name in ("layout", "dtype", "shape", "requires_grad", "is_nested", "is_quantized"):
        _differ(where, name, getattr(actual, name), getattr(expected, name))
    _differ(where, "type", type(actual).__name__, type(expected).__name__)
    if expected.is_quantized:
        _differ(where, "quantizer", _quantizer(actual), _quantizer(expected))
        actual, expected = actual.int_repr(), expected.int_repr()
    parts = list(zip(components(actual), components(expected), strict=True))
    if parts[0][1] is expected:
        _assert_same_strided(actual, expected, where, values, coefficient)
        return
    if expected.layout is torch.sparse_coo:
        _differ(where, "is_coalesced", actual.is_coalesced(), expected.is_coalesced())
    for index, (left, right) in enumerate(parts):
        _assert_same_tensor(left, right, f"{where} (component {index})", values, coefficient)


def _assert_same_strided(
    actual: torch.Tensor, expected: torch.Tensor, where: str, values: bool, coefficient: Coefficient
) -> None:
    for name in ("stride", "storage_offset", "is_conj", "is_neg"):
        _differ(where, name, getattr(actual, name)(), getattr(expected, name)())
    if not values:
        return
    got, wanted = actual.detach().cpu(), expected.detach()
    if wanted.dtype is torch.complex32:  # neither torch.equal nor assert_close knows it
        got, wanted = torch.view_as_real(got.resolve_conj()), torch.view_as_real(wanted.resolve_conj())
    if torch.equal(got, wanted):
        return
    rtol, atol = default_tolerances(wanted.dtype)
    relative, absolute = coefficient if isinstance(coefficient, tuple) else (coefficient, coefficient)
    try:
        assert_close(
            got,
            wanted,
            rtol=min(rtol * relative, 1.0),
            atol=atol * absolute,
            equal_nan=True,
            check_stride=False,
            msg=lambda text: f"{where}: {text}",
        )
    except AssertionError as difference:
        raise Mismatch(str(difference)) from None


def _quantizer(tensor: torch.Tensor) -> tuple[object, ...]:
    scheme = tensor.qscheme()
    if scheme in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return scheme, tensor.q_scale(), tensor.q_zero_point()
    scales, zero_points = tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()
    return scheme, scales.tolist(), zero_points.tolist(), tensor.q_per_channel_axis()


def _differ(where: str, name: str, actual: object, expected: object) -> None:
    both_nan = isinstance(actual, float) and isinstance(expected, float) and math.isnan(actual) and math.isnan(expected)
    if actual != expected and not both_nan:
        raise Mismatch(f"{where}: {name} is {actual}, expected {expected}")
