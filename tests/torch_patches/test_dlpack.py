"""DLPack patch: failures without it. What it gives is tested in tests/device/test_interop.py."""

from __future__ import annotations

import torch

from device.programs import run_program
from torch_patches.without import run_without

DEVICE = """
import torch, torch_ipex_device
x = torch.arange(3.0, device="ipex")
try:
    print(torch.from_dlpack(x).device)
except ValueError as error:
    print(error)
"""
LENDING = """
import numpy, torch, torch_ipex_device
x = torch.arange(3.0, device="ipex")
try:
    print(numpy.from_dlpack(x, device="cpu", copy=False).ctypes.data == x.data_ptr())
except (ValueError, BufferError, RuntimeError) as error:
    print(type(error).__name__)
"""


def test_unknown_device_without_the_patch() -> None:
    assert "Unknown device type ipex" in run_without("dlpack", DEVICE)
    assert run_program(DEVICE) == "ipex:0"


def test_no_lending_without_the_patch() -> None:
    assert run_without("dlpack", LENDING) != "True"
    assert run_program(LENDING) == "True"


def test_subclasses_see_the_call() -> None:
    seen = []

    class Watched(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.append(function.__name__)
            return super().__torch_function__(function, types, args, kwargs or {})

    x = torch.ones(2, device="ipex").as_subclass(Watched)
    assert x.__dlpack_device__()[0] == torch.utils.dlpack.DLDeviceType.kDLExtDev
    assert "__dlpack_device__" in seen
