"""Both ways in which convolutions and products of bfloat16 run, on machines that may have instructions for neither."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from torch_ipex_device import _C

ARITHMETIC = ["float32", "bfloat16"]


@pytest.fixture(params=ARITHMETIC)
def arithmetic(request: pytest.FixtureRequest) -> Iterator[str]:
    """Sums in float32 kernels that round at their end, and oneDNN's bfloat16 kernels, emulated where need be."""
    isa = _C.cpu_isa()
    if request.param == "bfloat16" and not isa.startswith("avx512"):
        pytest.skip("oneDNN has no bfloat16 here")
    if request.param == "float32" and isa.startswith(("avx512_core_bf16", "avx512_core_fp16", "avx512_core_amx")):
        pytest.skip("this machine computes in bfloat16")
    _C.set_bfloat16_emulation(request.param == "bfloat16")
    yield request.param
    _C.set_bfloat16_emulation(False)
