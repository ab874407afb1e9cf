"""DLPack: ipex tensors say which device they are on, and lend their memory to consumers that ask for the CPU."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.overrides import has_torch_function_unary
from torch.utils.dlpack import DLDeviceType

from torch_ipex_device import _C

WHY = """`Tensor.__dlpack_device__` compares the device type with the literal "privateuse1", which a renamed backend
never has: `torch.from_dlpack(x)` raises "Unknown device type ipex". `Tensor.__dlpack__(dl_device=cpu)` copies, and
refuses `copy=False`, although ipex memory is CPU memory."""
UPSTREAM = "https://github.com/pytorch/pytorch/pull/195815 for the device; nothing for the lending"
REMOVE_WHEN = (
    "the pull request is in the oldest supported PyTorch, and a backend can say that its memory is host memory"
)


def apply() -> None:
    """Wraps `Tensor.__dlpack_device__` and `Tensor.__dlpack__`."""
    original_device = torch.Tensor.__dlpack_device__
    original_export = torch.Tensor.__dlpack__

    def on_device(tensor: torch.Tensor) -> bool:
        return not has_torch_function_unary(tensor) and tensor.device.type == "ipex"

    @functools.wraps(original_device)
    def dlpack_device(self: torch.Tensor) -> tuple[Any, int]:
        if on_device(self):
            return DLDeviceType.kDLExtDev, self.device.index
        return original_device(self)

    @functools.wraps(original_export)
    def dlpack(self: torch.Tensor, *, dl_device: tuple[Any, int] | None = None, **kwargs: Any) -> Any:
        lends = dl_device is not None and dl_device[0] == DLDeviceType.kDLCPU and on_device(self)
        # What cannot be exported (needs gradient, sparse, conjugate) is left to PyTorch's checks.
        if lends and not self.requires_grad and not self.is_conj() and self.layout == torch.strided:
            return original_export(_C.as_cpu(self), dl_device=dl_device, **kwargs)
        return original_export(self, dl_device=dl_device, **kwargs)

    torch.Tensor.__dlpack_device__ = dlpack_device  # type: ignore[method-assign]
    torch.Tensor.__dlpack__ = dlpack  # type: ignore[method-assign]
