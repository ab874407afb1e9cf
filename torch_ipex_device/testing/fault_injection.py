"""faults(): has a request for memory, or a call of oneDNN, fail as if the system had refused it."""

from __future__ import annotations

from types import TracebackType

from torch_ipex_device import _C


class faults:
    """While it is open, counts the passes through a place that can fail, and has some of them fail.

    The sites are:

    - `"allocation"`: device memory, pinned memory and the work memory of kernels. Fails with E201.
    - `"primitive description"`: oneDNN looks for an implementation of an operator. Fails with E301, and so do the others.
    - `"primitive"`: oneDNN makes the machine code of a primitive, when it first runs. A primitive that has been made is
      kept: `torch_ipex_device._C.set_primitive_cache_capacity(0)` drops all.
    - `"execution"`: oneDNN runs a primitive.

    A fault takes the way that a real failure takes: `torch.OutOfMemoryError` for E201, `RuntimeError` for E301. All threads of the process count, so nothing else should run meanwhile.

    Args:
        site: one of the names above. Blocks may be nested if each is about another site.
        at: the pass that fails, counted from 1. Default None: none, passes are counted only.
        times: how many passes in a row fail, `at` and those after it; default 1.

    Raises:
        ValueError: E103, an unknown site, one that is in use, `at` below 1 or `times` below 0.

    Example:
        >>> x = torch.ones(4, device="ipex")
        >>> with faults("allocation") as counted:
        ...     y = x + 1
        >>> counted.passes
        1
        >>> try:
        ...     with faults("allocation", at=1):
        ...         y = x + 1
        ... except torch.OutOfMemoryError as error:
        ...     print(str(error)[:15])
        [allocate] E201
    """

    def __init__(self, site: str, at: int | None = None, *, times: int = 1) -> None:
        self._site = site
        self._at = 1 if at is None else at
        self._times = 0 if at is None else times
        self.passes = 0
        """How often the site was passed, up to the end of the block."""
        self.count = 0
        """How many of these passes failed."""

    def __enter__(self) -> faults:
        _C.arm_faults(self._site, self._at, self._times)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _C.disarm_faults(self._site)
        self.passes, self.count = _C.count_faults(self._site)
