"""Printing a tensor is no part of a program that runs under an INT8 recipe."""

from __future__ import annotations

import functools
from typing import Any

import torch._tensor_str

from torch_ipex_device import _C

WHY = """To print a tensor of more than 1,000 elements PyTorch concatenates its edges. Under a recipe of INT8 that `cat`
would take the place of the program's next operator: another entry in calibration, error E402 in inference."""
UPSTREAM = "torch/_tensor_str.py; no issue is open"
REMOVE_WHEN = "a backend can tell PyTorch's own operators for printing from those of the program"


def apply() -> None:
    """Makes `torch._tensor_str._str`, behind `repr`, run without a recipe."""
    original = torch._tensor_str._str

    @functools.wraps(original)
    def text(*args: Any, **kwargs: Any) -> str:
        run = _C.exchange_int8_run(None)
        try:
            return original(*args, **kwargs)
        finally:
            _C.exchange_int8_run(run)

    torch._tensor_str._str = text
