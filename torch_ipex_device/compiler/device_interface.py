"""What Dynamo and TorchInductor ask a device about."""

from __future__ import annotations

from typing import Any

import torch
from torch._dynamo.device_interface import CpuInterface, DeviceInterface, register_interface_for_device

_ipex: Any = torch.ipex  # type: ignore[attr-defined]


class IpexInterface(DeviceInterface):
    """The device `ipex`: one, whose kernels run in the calling thread, on the processor's instructions."""

    Event = _ipex.Event
    Stream = _ipex.Stream
    device = _ipex.device

    class Worker(DeviceInterface.Worker):
        """The same, in a process that compiles."""

        @staticmethod
        def set_device(device: int) -> None:
            """Does nothing: there is one."""

        @staticmethod
        def current_device() -> int:
            """Returns 0."""
            return 0

        @staticmethod
        def get_device_properties(device: torch.types.Device = None) -> Any:
            """Returns what is known of the processor."""
            return CpuInterface.Worker.get_device_properties()

    current_device = staticmethod(_ipex.current_device)
    set_device = staticmethod(_ipex.set_device)
    device_count = staticmethod(_ipex.device_count)
    is_available = staticmethod(_ipex.is_available)
    stream = staticmethod(_ipex.stream)
    current_stream = staticmethod(_ipex.current_stream)
    set_stream = staticmethod(_ipex.set_stream)
    synchronize = staticmethod(_ipex.synchronize)
    memory_allocated = staticmethod(_ipex.memory_allocated)

    @staticmethod
    def maybe_exchange_device(device: int) -> int:
        """Returns the current device, which is the only one."""
        return 0

    exchange_device = maybe_exchange_device

    @staticmethod
    def get_raw_stream(device_idx: int) -> int:
        """Returns the number of the only stream."""
        return 0

    @classmethod
    def get_device_properties(cls, device: torch.types.Device = None) -> Any:
        """Returns what is known of the processor."""
        return cls.Worker.get_device_properties()

    @staticmethod
    def get_compute_capability(device: torch.types.Device = None) -> str:
        """Returns the instruction set for which code is generated; code in caches depends on it."""
        return CpuInterface.get_compute_capability()

    @staticmethod
    def is_bf16_supported(including_emulation: bool = False) -> bool:
        """Returns True: without instructions for it, generated code computes in float32."""
        return True

    @classmethod
    def is_dtype_supported(cls, dtype: torch.dtype, including_emulation: bool = False) -> bool:
        """Returns True: all that CPU has."""
        return True

    @staticmethod
    def is_triton_capable(device: torch.types.Device = None) -> bool:
        """Returns False: kernels are C++."""
        return False

    @classmethod
    def raise_if_triton_unavailable(cls, device: torch.types.Device = None) -> None:
        """Raises RuntimeError: there is no Triton for this device."""
        raise RuntimeError("Triton has no code generator for ipex; TorchInductor generates C++ for it")


def register() -> None:
    """Makes the device known to Dynamo."""
    for name in ("ipex", "ipex:0"):
        register_interface_for_device(name, IpexInterface)
