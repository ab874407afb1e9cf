"""Inductor patch: failures without it. What it gives is tested in tests/compiler/test_default_backend.py."""

from __future__ import annotations

from device.programs import run_program
from torch_patches.without import run_without

COMPILE = """
import torch, torch_ipex_device
compiled = torch.compile(lambda x: x.sin() + 1)
try:
    print(compiled(torch.ones(3, device="ipex")).device)
except Exception as error:
    print(type(error).__name__, str(error).splitlines()[0])
"""
NOT_IMPORTED = """
import sys, torch, torch_ipex_device
print("torch._inductor.codegen.common" in sys.modules, "torch._dynamo.device_interface" in sys.modules)
"""


def test_unknown_device_without_the_patch() -> None:
    assert "KeyError: 'ipex'" in run_without("inductor", COMPILE)
    assert run_program(COMPILE) == "ipex:0"


def test_nothing_is_imported_before_it_is_needed() -> None:
    assert run_program(NOT_IMPORTED) == "False False"
