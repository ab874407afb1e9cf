"""Instruction sets: what this processor has, what kernels are built for, and what runs now.

A level stands for a group of instructions that includes those of the levels before it. What oneDNN may use, and with it
everything else here, is limited by the variable `ONEDNN_MAX_CPU_ISA`, read when the device is activated.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error

# What each level needs, by the names of torch.cpu.get_capabilities().
_AVX2 = ("avx2", "fma3")
_AVX512 = (*_AVX2, "avx512_f", "avx512_bw", "avx512_vl", "avx512_dq", "avx512_cd")
_VNNI = (*_AVX512, "avx512_vnni")
_BF16 = (*_VNNI, "avx512_bf16")
_AMX = (*_BF16, "amx_tile", "amx_int8", "amx_bf16")
_NEEDS: dict[str, tuple[str, ...]] = {
    "DEFAULT": (),
    "AVX2": _AVX2,
    "AVX2_VNNI": (*_AVX2, "avx_vnni"),
    "AVX512": _AVX512,
    "AVX512_VNNI": _VNNI,
    "AVX512_BF16": _BF16,
    "AMX": _AMX,
    "AVX512_FP16": (*_AMX, "avx512_fp16"),
}

LEVELS = tuple(_NEEDS)
"""The levels, from the oldest to the newest."""

# The sets of oneDNN, as `torch.ipex.get_arch_list()` names them. Its AMX includes AVX512_FP16, which all such processors have.
_LEVEL_OF_ONEDNN = {
    "avx2": "AVX2",
    "avx2_vnni": "AVX2_VNNI",
    "avx2_vnni_2": "AVX2_VNNI",
    "avx512_core": "AVX512",
    "avx512_core_vnni": "AVX512_VNNI",
    "avx512_core_bf16": "AVX512_BF16",
    "avx512_core_fp16": "AVX512_BF16",
    "avx512_core_amx": "AVX512_FP16",
    "avx512_core_amx_fp16": "AVX512_FP16",
}

_BUILT_FOR = ("DEFAULT", "AVX2", "AVX512")


def supported() -> str:
    """Returns the newest level of this processor, one of `LEVELS`.

    Example:
        >>> ipex.isa.supported() in ipex.isa.LEVELS
        True
    """
    return next(level for level in reversed(LEVELS) if has(level))


def has(level: str) -> bool:
    """Returns whether this processor has the instructions of a level.

    Args:
        level: one of `LEVELS`.

    Raises:
        ValueError: E103, another level.
    """
    if level not in _NEEDS:
        raise error("E103", "isa.has", f"got {level!r}; accepted: {', '.join(LEVELS)}")
    capabilities = _capabilities()
    return all(capabilities.get(name, False) for name in _NEEDS[level])


def built() -> str:
    """Returns the newest level that the loops of this package are compiled for; oneDNN makes its code at run time."""
    return _BUILT_FOR[-1]


def current() -> str:
    """Returns the level that the loops of this package use: the newest of theirs that oneDNN may use as well."""
    allowed = LEVELS.index(onednn())
    return next(level for level in reversed(_BUILT_FOR) if LEVELS.index(level) <= allowed)


def onednn() -> str:
    """Returns the newest level that oneDNN's kernels use, one of `LEVELS`.

    `torch.ipex.get_device_capability()["isa"]` says it in oneDNN's words.
    """
    return _LEVEL_OF_ONEDNN.get(_C.cpu_isa(), "DEFAULT")


def has_bf16_support() -> bool:
    """Returns whether oneDNN takes bfloat16 operands, with instructions for them or by way of float32 (AVX512 and later)."""
    return LEVELS.index(onednn()) >= LEVELS.index("AVX512")


def has_fp16_support() -> bool:
    """Returns whether oneDNN takes float16 operands."""
    return _C.cpu_isa() in ("avx512_core_fp16", "avx512_core_amx", "avx512_core_amx_fp16")


def has_amx_support() -> bool:
    """Returns whether oneDNN computes with tiles (AMX)."""
    return "amx" in _C.cpu_isa()


@functools.cache
def _capabilities() -> Mapping[str, Any]:
    return torch.cpu.get_capabilities()
