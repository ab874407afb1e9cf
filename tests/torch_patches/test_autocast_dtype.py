"""torch.autocast("ipex") means bfloat16; every other device and every explicit dtype is left alone."""

from __future__ import annotations

import torch

from device.programs import run_program
from torch_patches.without import run_without

PROGRAM = """
import torch, torch_ipex_device
x = torch.ones(2, 2, device="ipex")
with torch.autocast("ipex"):
    print((x @ x).dtype)
"""


def test_float16_without_the_patch_bfloat16_with_it() -> None:
    assert run_without("autocast_dtype", PROGRAM) == "torch.float16"
    assert run_program(PROGRAM) == "torch.bfloat16"


def test_explicit_dtype_wins() -> None:
    x = torch.ones(2, 2, device="ipex")
    with torch.autocast("ipex", torch.float16):
        assert (x @ x).dtype == torch.float16
    with torch.autocast(device_type="ipex", dtype=torch.float16, enabled=True, cache_enabled=False):
        assert (x @ x).dtype == torch.float16


def test_cpu_is_untouched() -> None:
    assert torch.autocast("cpu").fast_dtype == torch.bfloat16
    with torch.autocast("cpu", torch.float16):
        assert torch.ones(2, 2).mm(torch.ones(2, 2)).dtype == torch.float16


def test_decorator_and_compiled_code() -> None:
    @torch.autocast(device_type="ipex")
    def product(x: torch.Tensor) -> torch.Tensor:
        return x @ x

    def region(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("ipex"):
            return x @ x

    x = torch.ones(2, 2, device="ipex")
    assert product(x).dtype == torch.bfloat16
    assert torch.compile(region, backend="aot_eager", fullgraph=True)(x).dtype == torch.bfloat16
