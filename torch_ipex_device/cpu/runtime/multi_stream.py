"""`MultiStreamModule`: a batch in parts, each on cores of its own."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from torch_ipex_device.core.errors import error
from torch_ipex_device.core.log import logger

from .cpupool import CPUPool, pin, require_pool
from .hints import MultiStreamModuleHint, join, split
from .task import Task


def get_default_num_streams(cpu_pool: CPUPool) -> int:
    """Returns the number of streams that "AUTO" means: one for each core.

    Args:
        cpu_pool: the cores.
    """
    return len(cpu_pool.core_ids)


class MultiStreamModule(nn.Module):
    """Splits the batch and runs a module on all parts at the same time, each on its share of the cores.

    The first streams get one core or one entry of the batch more where numbers do not divide. A batch smaller than the number
    of streams uses as many streams as it has entries. Parameters are shared, not copied.

    Args:
        model: the module; `torch.jit.ScriptModule`s run without Python's lock.
        num_streams: number of parts, at most one for each core; "AUTO" is one for each core.
        cpu_pool: the cores; all that the process may use by default.
        concat_output: join the results; otherwise they are returned as a list.
        input_split_hint: how arguments are split; by default the only argument, in dimension 0.
        output_concat_hint: how results are joined; by default one tensor, in dimension 0.

    Attributes:
        model: the module.
        num_streams: how many there are.

    Raises:
        TypeError: E101, an argument of another type.
        ValueError: E103, fewer than one stream. When called: arguments or results that differ from the hints.

    Source: the archived extension's class of this name.

    Example:
        >>> streams = ipex.cpu.runtime.MultiStreamModule(torch.nn.Linear(4, 2).eval())
        >>> with torch.no_grad():
        ...     streams(torch.ones(6, 4)).shape
        torch.Size([6, 2])
    """

    def __init__(
        self,
        model: nn.Module,
        num_streams: int | str = "AUTO",
        cpu_pool: CPUPool | None = None,
        concat_output: bool = True,
        input_split_hint: MultiStreamModuleHint | None = None,
        output_concat_hint: MultiStreamModuleHint | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise error("E101", "MultiStreamModule", f"got {type(model).__name__} as model; accepted: torch.nn.Module")
        pool = CPUPool() if cpu_pool is None else cpu_pool
        require_pool("MultiStreamModule", pool)
        self.model = model
        self.cpu_pool = pool
        self.core_list = pool.core_ids
        self.num_streams = _number(num_streams, pool)
        self.concat_output = concat_output
        self.input_split_hint = _hint("input_split_hint", input_split_hint)
        self.output_concat_hint = _hint("output_concat_hint", output_concat_hint)
        self.tasks = [] if self.num_streams == 1 else [Task(model, CPUPool(cores)) for cores in self._shares()]

    def _shares(self) -> list[list[int]]:
        shares, start = [], 0
        for stream in range(self.num_streams):
            count = len(self.core_list) // self.num_streams + (stream < len(self.core_list) % self.num_streams)
            shares.append(self.core_list[start : start + count])
            start += count
        return shares

    def get_stream_number(self) -> int:
        """Returns how many streams there are."""
        return self.num_streams

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Returns what the module returns for the whole batch, or a list of what it returned for its parts.

        Args:
            args: of the module.
            kwargs: of the module.
        """
        if not self.tasks:
            result = self._run_here(args, kwargs)
            return result if self.concat_output else [result]
        parts = split(self.input_split_hint, (args, kwargs), self.num_streams)
        running = [task(*part[0], **part[1]) for task, part in zip(self.tasks, parts, strict=False)]
        results = [each.get() for each in running]
        return join(self.output_concat_hint, results) if self.concat_output else results

    def _run_here(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if os.sched_getaffinity(0) == set(self.core_list) and torch.get_num_threads() == len(self.core_list):
            return self.model(*args, **kwargs)
        with pin(self.cpu_pool):
            return self.model(*args, **kwargs)

    def extra_repr(self) -> str:
        return f"num_streams={self.num_streams}, core_list={self.core_list}"


def _number(num_streams: int | str, pool: CPUPool) -> int:
    if isinstance(num_streams, str) and num_streams.upper() == "AUTO":
        return get_default_num_streams(pool)
    if isinstance(num_streams, bool) or not isinstance(num_streams, int):
        raise error("E101", "MultiStreamModule", f"got num_streams={num_streams!r}; accepted: an integer or 'AUTO'")
    if num_streams < 1:
        raise error("E103", "MultiStreamModule", f"got num_streams={num_streams}; accepted: 1 or more, or 'AUTO'")
    if num_streams > len(pool.core_ids):
        logger.warning("MultiStreamModule: got %d streams for %d cores; one for each", num_streams, len(pool.core_ids))
    return min(num_streams, len(pool.core_ids))


def _hint(name: str, hint: MultiStreamModuleHint | None) -> MultiStreamModuleHint:
    if hint is None:
        return MultiStreamModuleHint(0)
    if not isinstance(hint, MultiStreamModuleHint):
        raise error("E101", "MultiStreamModule", f"got {hint!r} as {name}; accepted: MultiStreamModuleHint")
    return hint
