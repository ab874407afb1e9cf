"""The four checks of an operator: forward, backward, in-place and out=, each on every sample."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import numpy
import torch
from torch.testing._internal.opinfo.core import ForeachFuncInfo, OpInfo, SampleInput

from torch_ipex_device.testing.compare import IPEX, Mismatch
from torch_ipex_device.testing.flatten import tensors_in
from torch_ipex_device.testing.transfer import Transfer

from .exceptions import HOST_ARGUMENTS, UNINITIALISED
from .outcome import SEED, Outcome, assert_same_gradients, assert_same_outcome, differentiate, observe
from .tolerances import coefficient

CPU = torch.device("cpu")
T = TypeVar("T")


@dataclass
class Report:
    """What the checks of one operator in one dtype found: counts per check, and differences as (check, text)."""

    counts: Counter[str]
    differences: list[tuple[str, str]]


class Checks:
    """Compares one operator in one dtype with CPU.

    Args:
        operator: From one of PyTorch's operator databases.
        dtype: One that the operator supports on CPU.
        most_samples: How many samples to run, default all.
    """

    def __init__(self, operator: OpInfo, dtype: torch.dtype, most_samples: int | None = None) -> None:
        self._operator = operator
        self._dtype = dtype
        self._most_samples = most_samples
        self._values = operator.name not in UNINITIALISED
        self._coefficient = coefficient(operator.name, dtype)
        self._report = Report(Counter(), [])

    def run(self) -> Report:
        """Runs all checks on all samples; a difference is recorded and the next check runs."""
        for index, sample in enumerate(self._samples()):
            ran = self._attempt("forward", index, partial(self._forward, sample))
            if ran is not None:
                self._attempt("backward", index, partial(self._backward, sample, *ran))
            self._attempt("in-place", index, partial(self._in_place, sample))
            self._attempt("out", index, partial(self._out, sample))
        return self._report

    def _attempt(self, check: str, index: int, compare: Callable[[], T]) -> T | None:
        try:
            return compare()
        except Mismatch as difference:
            self._report.differences.append((check, f"{check}, sample {index}: {difference}"))
            return None

    def _samples(self) -> list[SampleInput]:
        torch.manual_seed(SEED)
        random.seed(SEED)
        numpy.random.seed(SEED % 2**32)
        differentiable = self._dtype in self._operator.supported_backward_dtypes("cpu")
        samples: Iterable[SampleInput] = self._operator.sample_inputs(
            "cpu", self._dtype, requires_grad=differentiable and self._operator.supports_autograd
        )
        return list(islice(samples, self._most_samples))

    def _forward(self, sample: SampleInput) -> tuple[Outcome, Outcome] | None:
        actual, expected = (self._observe(self._operator.op, sample, device) for device in (IPEX, CPU))
        if not self._agree(actual, expected):
            return None
        self._report.counts["forward"] += 1
        return actual, expected

    def _backward(self, sample: SampleInput, actual: Outcome, expected: Outcome) -> None:
        if not differentiate(expected, sample.output_process_fn_grad):
            return
        differentiate(actual, sample.output_process_fn_grad)
        if assert_same_gradients(actual, expected, values=self._values, coefficient=self._coefficient):
            self._report.counts["backward"] += 1

    def _in_place(self, sample: SampleInput) -> None:
        """Counts also what CPU refuses (results that need broadcasting or another dtype): ipex must refuse it too."""
        variant = self._operator.get_inplace()
        if variant is not None:
            observe_on = partial(self._observe, variant, sample, requires_grad=False)
            if not self._agree(observe_on(IPEX), observe_on(CPU)):
                self._report.counts["refused alike"] += 1
            self._report.counts["in-place"] += 1

    def _out(self, sample: SampleInput) -> None:
        """Counts also what CPU refuses (results of another type than `out=` takes): ipex must refuse it too."""
        if not self._operator.supports_out or isinstance(self._operator, ForeachFuncInfo):
            return
        plain = self._observe(self._operator.op, sample, CPU, requires_grad=False)
        if plain.error is not None or next(tensors_in(plain.result), None) is None:
            return
        for make in (_zero_size, _right_size):
            if not self._out_variant(sample, partial(_like, plain.result, make)):
                self._report.counts["refused alike"] += 1
        self._report.counts["out"] += 1

    def _out_variant(self, sample: SampleInput, make_out: Callable[[torch.device], Any]) -> bool:
        actual, expected = (
            self._observe(self._operator.op, sample, device, requires_grad=False, out=make_out(device))
            for device in (IPEX, CPU)
        )
        return self._agree(actual, expected)

    def _observe(
        self,
        call: Callable[..., Any],
        sample: SampleInput,
        device: torch.device,
        *,
        requires_grad: bool = True,
        **more: Any,
    ) -> Outcome:
        move = Transfer(device, requires_grad=requires_grad)
        rest = Transfer(CPU, requires_grad=requires_grad) if self._operator.name in HOST_ARGUMENTS else move
        keywords = {**rest(sample.kwargs), **more}
        arguments = [move(sample.input), *rest(sample.args)]
        return observe(call, arguments, keywords, device if move.placed or more else CPU)

    def _agree(self, actual: Outcome, expected: Outcome) -> bool:
        return assert_same_outcome(actual, expected, values=self._values, coefficient=self._coefficient)


def _like(result: Any, make: Callable[[torch.Tensor, torch.device], torch.Tensor], device: torch.device) -> Any:
    """A structure as `result` has it, with fresh tensors."""
    if isinstance(result, torch.Tensor):
        return make(result, device)
    return tuple(_like(item, make, device) for item in result)


def _zero_size(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    return torch.empty(0, dtype=tensor.dtype, device=device)


def _right_size(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    return torch.empty_like(tensor, device=device).fill_(1)
