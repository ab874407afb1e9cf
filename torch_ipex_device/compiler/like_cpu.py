"""Choices that TorchInductor makes for CPU kernels by the name of the device: the same for ipex, whose kernels they are too."""

from __future__ import annotations

import functools
from typing import Any

from torch._inductor import config, ir, lowering, scheduler

SETTINGS = {
    # Operands of a concatenation are written where they belong; computing it element by element takes a branch for each.
    "max_complex_pointwise_cat_inputs": 0,
    "max_pointwise_cat_inputs": 0,
}
"""Of `torch._inductor.config`, where a setting decides."""


@functools.cache
def register() -> None:
    """Wraps the questions that TorchInductor asks about a device, once."""
    _wrap_is_cpu()
    _wrap_is_cpu_of_nodes()
    _wrap_variance()


def _wrap_is_cpu() -> None:
    """When a value that is read often is computed once and kept."""
    original = ir.is_cpu

    @functools.wraps(original)
    def is_cpu(x: Any) -> bool:
        return original(x) or ir.get_device_type(x) == "ipex"

    ir.is_cpu = is_cpu


def _wrap_is_cpu_of_nodes() -> None:
    """Whether loops may be reordered to fuse kernels, which the generator of C++ does not expect."""
    original = scheduler.BaseSchedulerNode.is_cpu

    @functools.wraps(original)
    def is_cpu(self: Any) -> bool:
        device = self.get_device()
        return original(self) or (device is not None and device.type == "ipex")

    scheduler.BaseSchedulerNode.is_cpu = is_cpu  # type: ignore[method-assign]


def _wrap_variance() -> None:
    """How a variance is computed: in two sums when there are few values."""
    original = lowering.use_two_step_variance

    @functools.wraps(original)
    def use_two_step_variance(x: Any, *arguments: Any, **options: Any) -> bool:
        if ir.get_device_type(x) != "ipex":
            return original(x, *arguments, **options)
        with config.patch(unroll_reductions_threshold=config.cpp.use_two_step_variance_threshold):
            return original(x, *arguments, **options)

    lowering.use_two_step_variance = use_two_step_variance
