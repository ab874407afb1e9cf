"""Runs one call on one device and records everything that must not depend on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from torch_ipex_device.testing.compare import Coefficient, Mismatch, assert_same
from torch_ipex_device.testing.flatten import components, tensors_in
from torch_ipex_device.testing.sharing import describe_sharing

SEED = 20_240_229


@dataclass
class Outcome:
    """Where results must be, and what a call did: result or error, arguments afterwards, memory shared, versions, device, shape, storage and address kept, gradients."""

    device: torch.device
    result: Any = None
    error: Exception | None = None
    arguments: Any = None
    sharing: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    kept: list[tuple[bool, ...]] = field(default_factory=list)
    gradients: Any = None
    backward_error: Exception | None = None


def reseed() -> None:
    """What torch.manual_seed does for CPU and ipex; for devices that are not there it records a traceback per call."""
    torch.default_generator.manual_seed(SEED)
    torch.get_device_module("ipex").manual_seed_all(SEED)


def observe(
    call: Callable[..., Any], arguments: Sequence[Any], keywords: dict[str, Any], device: torch.device
) -> Outcome:
    """Runs `call` with a fixed seed and records its effects; an error becomes part of the outcome.

    Args:
        call: The operator.
        arguments: Its positional arguments.
        keywords: Its keyword arguments.
        device: Where its results must be.
    """
    given = (list(arguments), keywords)
    tensors = list(tensors_in(given))
    versions = [tensor._version for tensor in tensors]
    places = [_place(tensor) for tensor in tensors]
    reseed()
    outcome = Outcome(device, arguments=given)
    try:
        outcome.result = call(*arguments, **keywords)
    except Exception as error:  # noqa: BLE001  (whatever CPU raises, ipex must raise too)
        outcome.error = error
        return outcome
    outcome.sharing = describe_sharing(outcome.result, given)
    outcome.versions = [tensor._version - before for tensor, before in zip(tensors, versions, strict=True)]
    for tensor, place in zip(tensors, places, strict=True):
        outcome.kept.append(tuple(now == before for now, before in zip(_place(tensor), place, strict=True)))
    return outcome


def _place(tensor: torch.Tensor) -> tuple[object, ...]:
    """Device, shape, storages and addresses of `tensor`."""
    storages = [part.untyped_storage() for part in components(tensor)]
    return (
        tensor.device,
        tensor.shape,
        [storage._cdata for storage in storages],
        [storage.data_ptr() for storage in storages],
    )


def differentiate(outcome: Outcome, process: Callable[[Any], Any], parameters: Iterable[torch.Tensor] = ()) -> bool:
    """Adds the gradients of all arguments and parameters that require one, with ones as cotangents; False if none do.

    Args:
        outcome: Of a call that ran.
        process: Picks the differentiable part of the result, as `SampleInput.output_process_fn_grad` does.
        parameters: Further tensors to differentiate by.
    """
    leaves = [tensor for tensor in tensors_in([outcome.arguments, *parameters]) if tensor.requires_grad]
    try:
        outputs = [tensor for tensor in tensors_in(process(outcome.result)) if tensor.requires_grad]
        if not leaves or not outputs:
            return False
        reseed()
        cotangents = [torch.ones_like(tensor) for tensor in outputs]
        outcome.gradients = torch.autograd.grad(outputs, leaves, cotangents, allow_unused=True)
    except Exception as error:  # noqa: BLE001  (whatever CPU raises, ipex must raise too)
        outcome.backward_error = error
    return True


def assert_same_outcome(actual: Outcome, expected: Outcome, *, values: bool, coefficient: Coefficient) -> bool:
    """Asserts that `actual` (ipex) did what `expected` (CPU) did; returns whether there was a result to compare."""
    _assert_same_error("call", actual.error, expected.error)
    same = partial(assert_same, values=values, coefficient=coefficient)
    same(actual.arguments, expected.arguments, where="arguments", device=None)
    if expected.error is not None:
        return False
    same(actual.result, expected.result, where="result", device=actual.device)
    for fact in ("sharing", "kept"):
        if getattr(actual, fact) != getattr(expected, fact):
            raise Mismatch(f"{fact}: {getattr(actual, fact)}, on CPU {getattr(expected, fact)}")
    _assert_same_versions(actual, expected)
    return True


def _assert_same_versions(actual: Outcome, expected: Outcome) -> None:
    """An `out=` tensor that CPU resizes may count one write more: only on CPU does PyTorch resize it undispatched.

    See `at::native::resize_output`: "avoid a redispatch for cpu and cuda"; the dispatched `resize_` counts as a write.
    """
    for got, wanted, kept in zip(actual.versions, expected.versions, expected.kept, strict=True):
        if got != wanted and (all(kept) or got != wanted + 1):
            raise Mismatch(f"versions: {actual.versions}, on CPU {expected.versions}")


def assert_same_gradients(actual: Outcome, expected: Outcome, *, values: bool, coefficient: Coefficient) -> bool:
    """Asserts equal gradients; returns whether CPU could compute them."""
    _assert_same_error("backward", actual.backward_error, expected.backward_error)
    if expected.backward_error is not None:
        return False
    same = partial(assert_same, values=values, coefficient=coefficient, device=actual.device)
    same(actual.gradients, expected.gradients, where="gradients")
    return True


def _assert_same_error(where: str, actual: Exception | None, expected: Exception | None) -> None:
    if type(actual) is not type(expected):
        raise Mismatch(f"{where}: raised {actual!r}, on CPU {expected!r}") from actual
