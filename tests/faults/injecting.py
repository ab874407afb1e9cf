"""Runs a program with a fault on purpose and checks everything that must hold afterwards."""

from __future__ import annotations

import enum
import gc
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

import torch_ipex_device as ipex
from primitives import forget_primitives
from torch_ipex_device import _C
from torch_ipex_device.testing import faults

from .program import Program, state, values

SITES: tuple[str, ...] = tuple(_C.fault_sites())
MADE_ONCE = ("primitive description", "primitive")  # primitives are kept, so passes need an empty cache
CLOSEST = 100.0  # times the tolerance of assert_close: the same kernels, after another history


class Outcome(enum.Enum):
    """How a run with a fault ended."""

    ERROR = "an error"
    RIGHT = "a right result"
    NO_FAULT = "no fault"


class Case:
    """A program with what it gives on ipex without faults, which is compared with stock PyTorch on the CPU."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.before = state(program.inputs)
        inputs = program.fresh("ipex")
        self.expected = values(program.call(*inputs))
        self.after = state(inputs)
        del inputs
        gc.collect()
        inputs = program.fresh("cpu")
        assert_close(self.expected, values(program.call(*inputs)), program.coefficient)
        for got, wanted in zip(self.after, state(inputs), strict=True):
            assert_close(got, wanted, program.coefficient)

    def passes(self, site: str, *, warm: bool) -> int:
        """Returns how often a run without faults passes the site."""
        inputs = self._ready(site, warm=warm)
        with faults(site) as counted:
            values(self.program.call(*inputs))
        del inputs
        gc.collect()  # an optimized model is a cycle
        return counted.passes

    def inject(self, site: str, at: int, *, times: int = 1, warm: bool = False) -> Outcome:
        """Has `times` passes of the site fail, from the `at`-th on.

        Args:
            site: a name of `SITES`.
            at: counted from 1.
            times: 1 and more.
            warm: whether the program has run before, with the same inputs, so that weights are packed.

        Raises:
            AssertionError: what must hold does not.
        """
        allocated, modes = torch.ipex.memory_allocated(), _modes()
        outcome = self._run(self._ready(site, warm=warm), site, at, times)
        assert _modes() == modes, "a mode has changed"
        if torch.ipex.memory_allocated() != allocated:
            gc.collect()
        left = torch.ipex.memory_allocated() - allocated
        assert left == 0, f"{left} bytes are left"
        return outcome

    def _ready(self, site: str, *, warm: bool) -> list[Any]:
        inputs = self.program.fresh("ipex")
        if warm and not self.program.writes:
            values(self.program.call(*inputs))
        if site in MADE_ONCE:
            forget_primitives()
        return inputs

    def _run(self, inputs: list[Any], site: str, at: int, times: int) -> Outcome:
        generator, result, got = _C.default_generator().get_state(), None, None
        with faults(site, at, times=times) as injected:
            try:
                result = self.program.call(*inputs)
                got = values(result)
            except Exception as error:  # noqa: BLE001 - which ones are right is checked
                _check_error(error)
        if not self.program.is_random:
            assert torch.equal(_C.default_generator().get_state(), generator), "random numbers were drawn"
        if got is None and result is not None:
            got = values(result)  # reading failed; reading again must not
            if not self.program.writes:
                assert_close(got, self.expected, CLOSEST)
            got = None
        if got is not None:
            assert_close(got, self.expected, CLOSEST)
        if at % 2:  # looking at inputs changes how they are held
            self._check_inputs(inputs, finished=got is not None)
        again = self.program.fresh("ipex") if self.program.writes else inputs
        assert_close(values(self.program.call(*again)), self.expected, CLOSEST)
        if not self.program.writes:
            self._check_inputs(inputs, finished=True)
        if injected.count == 0:
            return Outcome.NO_FAULT
        return Outcome.ERROR if got is None else Outcome.RIGHT

    def _check_inputs(self, inputs: Sequence[Any], *, finished: bool) -> None:
        for index, found in enumerate(state(inputs)):
            before, after = self.before[index], self.after[index]
            if index not in self.program.writes:
                assert all(map(torch.equal, found, before)), f"input {index} has changed"
            elif finished:
                assert_close(found, after, CLOSEST)
            elif self.program.is_one_write:
                for now, old, new in zip(found, before, after, strict=True):
                    assert torch.equal(now, old) or torch.equal(now, new), f"input {index} is neither old nor new"


def assert_close(got: Sequence[Tensor], expected: Sequence[Tensor], coefficient: float) -> None:
    """Compares with the tolerances of `torch.testing.assert_close` times a coefficient; integers exactly."""
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        if not one.dtype.is_floating_point:
            assert torch.equal(one, other), "integers differ"
            continue
        rtol, atol = torch.testing._comparison.default_tolerances(one.dtype)
        torch.testing.assert_close(one, other, rtol=coefficient * rtol, atol=coefficient * atol, equal_nan=True)


def _check_error(error: BaseException) -> None:
    text = str(error)
    is_clear = (type(error) is torch.OutOfMemoryError and "] E201 " in text) or (
        type(error) is RuntimeError and "] E301 " in text
    )
    assert is_clear, f"{type(error).__name__}: {text}"
    assert error.__context__ is None, f"a second error: {error.__context__!r}"


def _modes() -> list[Any]:
    return [
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("ipex"),
        torch.is_autocast_enabled("cpu"),
        torch.get_num_threads(),
        torch.ipex.eager_fusion(),
        torch.ipex.get_fallback_policy() if hasattr(torch.ipex, "get_fallback_policy") else None,
        ipex.get_auto_mix_precision(),
        ipex.get_train(),
        _C.amp_mode(),
        _C.int8_run(),
    ]
