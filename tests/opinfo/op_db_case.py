"""What the tests of the operator databases share: their cases, and how a report becomes a pass or a failure."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch.testing._internal.opinfo.core import OpInfo

from .checks import Report
from .exceptions import EXCEPTED
from .tally import count

DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.complex64,
    torch.complex128,
    torch.int64,
    torch.int8,
    torch.uint8,
    torch.bool,
)


def cases(operators: Iterable[OpInfo], dtypes: Iterable[torch.dtype]) -> list[object]:
    """One pytest parameter set (operator, dtype) for each dtype that the operator supports on CPU."""
    return [
        pytest.param(operator, dtype, id=f"{operator.formatted_name}-{str(dtype).removeprefix('torch.')}")
        for dtype in dtypes
        for operator in operators
        if dtype in operator.supported_dtypes("cpu")
    ]


def judge(database: str, operator: OpInfo, report: Report) -> None:
    """Counts what ran and fails on differences that EXCEPTED does not name."""
    count(database, "operators")
    for check in ("forward", "backward", "in-place", "out", "refused alike"):
        count(database, check, report.counts[check])
    excepted = EXCEPTED.get(operator.formatted_name)
    allowed = excepted.check if excepted is not None else None
    count(database, "excepted", allowed is not None)
    failures = [text for check, text in report.differences if check != allowed]
    shown = "\n".join(failures[:5])
    assert not failures, f"{operator.formatted_name}: {len(failures)} differences from CPU\n{shown}"
