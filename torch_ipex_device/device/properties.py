"""What the device is: name, memory, cores, instruction sets, caches."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from torch_ipex_device import _C

from ._utils import Device, _get_device_index
from .memory import mem_get_info

ISAS = (
    "sse41",
    "avx",
    "avx2",
    "avx2_vnni",
    "avx2_vnni_2",
    "avx512_core",
    "avx512_core_vnni",
    "avx512_core_bf16",
    "avx512_core_fp16",
    "avx512_core_amx",
    "avx512_core_amx_fp16",
)
"""Instruction sets that oneDNN has kernels for, in the order in which it prefers the later one."""

_BF16_ISAS = frozenset(ISAS[ISAS.index("avx512_core_bf16") :]) | {"avx2_vnni_2"}


@dataclass(frozen=True)
class DeviceProperties:
    """Properties of the device, which is the CPU that the process runs on.

    Attributes:
        name: model name of the processor.
        total_memory: memory of the machine in bytes.
        cores: physical cores that the process may use.
        threads: hardware threads that the process may use.
        isa: instruction set that kernels use, one of `get_arch_list()`.
        l1_data_cache: bytes per core, or None where the system does not tell.
        l2_cache: bytes per core or cluster, or None.
        l3_cache: bytes per shared cache, or None.
    """

    name: str
    total_memory: int
    cores: int
    threads: int
    isa: str
    l1_data_cache: int | None
    l2_cache: int | None
    l3_cache: int | None

    @property
    def multi_processor_count(self) -> int:
        """Number of cores, under the name that `torch.cuda` gives to the units that run kernels."""
        return self.cores


def get_device_name(device: Device = None) -> str:
    """Returns the model name of the processor.

    Args:
        device: the device; the current one by default.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    return get_device_properties(device).name


def get_device_properties(device: Device = None) -> DeviceProperties:
    """Returns the properties of the device.

    Args:
        device: the device; the current one by default.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.

    Example:
        >>> torch.ipex.get_device_properties().total_memory > 0
        True
    """
    _get_device_index(device, optional=True)
    cpus = os.sched_getaffinity(0)
    return DeviceProperties(
        name=_model_name(),
        total_memory=mem_get_info()[1],
        cores=_physical_cores(frozenset(cpus)),
        threads=len(cpus),
        isa=_C.cpu_isa(),
        l1_data_cache=_cache_bytes(1),
        l2_cache=_cache_bytes(2),
        l3_cache=_cache_bytes(3),
    )


def get_device_capability(device: Device = None) -> dict[str, Any]:
    """Returns what kernels may use.

    Args:
        device: the device; the current one by default.

    Returns:
        `isa`: the instruction set in use, which `DNNL_MAX_CPU_ISA` limits; `bf16`, `int8`, `amx`: whether it has
        instructions for bfloat16 products, for int8 products, and for tiles of them; `supported_dtypes`: the dtypes
        that tensors can have.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    index = _get_device_index(device, optional=True)
    isa = _C.cpu_isa()
    return {
        "isa": isa,
        "bf16": isa in _BF16_ISAS,
        "int8": "vnni" in isa or isa in _BF16_ISAS,
        "amx": "amx" in isa,
        "supported_dtypes": torch.accelerator.get_device_capability(index)["supported_dtypes"],
    }


def get_arch_list() -> list[str]:
    """Returns the instruction sets that kernels exist for, from the oldest to the newest."""
    return list(ISAS)


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Returns whether bfloat16 tensors can be computed with.

    Args:
        including_emulation: count processors that convert to float32 and back; all can.

    Returns:
        With `including_emulation=False`, whether the processor has bfloat16 instructions.
    """
    return including_emulation or _C.cpu_isa() in _BF16_ISAS


@functools.cache
def _model_name() -> str:
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else os.uname().machine


@functools.cache
def _physical_cores(cpus: frozenset[int]) -> int:
    def siblings(cpu: int) -> str:
        listed = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        return listed.read_text().strip() if listed.exists() else str(cpu)

    return len({siblings(cpu) for cpu in cpus})


@functools.cache
def _cache_bytes(level: int) -> int | None:
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level_read, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if level_read == str(level) and kind != "Instruction":
            return int(size.removesuffix("K")) * 1024
    return None
