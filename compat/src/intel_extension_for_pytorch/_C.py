"""What programs ask the native module of the archived front end: instruction sets and the float32 math mode.

Levels are strings, from the oldest to the newest: DEFAULT, AVX2, AVX2_VNNI, AVX512, AVX512_VNNI, AVX512_BF16, AMX, AVX512_FP16.
"""

from __future__ import annotations

from typing import Any

import torch

from _torch_ipex_device_compat.forward import MIGRATION_PAGE
from torch_ipex_device.frontend import isa, math_mode
from torch_ipex_device.frontend.math_mode import FP32MathMode as FP32MathMode


def _get_current_isa_level() -> str:
    """Returns the level that loops of our own use."""
    return isa.current()


def _get_highest_cpu_support_isa_level() -> str:
    """Returns the level of this processor."""
    return isa.supported()


def _get_highest_binary_support_isa_level() -> str:
    """Returns the newest level that loops of our own are compiled for."""
    return isa.built()


def _get_current_onednn_isa_level() -> str:
    """Returns the level that oneDNN uses."""
    return isa.onednn()


def _check_not_sync_onednn_isa_level() -> bool:
    """Returns False: one limit, `ONEDNN_MAX_CPU_ISA`, holds for oneDNN and for us."""
    return False


def onednn_has_bf16_support() -> bool:
    """Returns whether oneDNN takes bfloat16 operands."""
    return isa.has_bf16_support()


def onednn_has_fp16_support() -> bool:
    """Returns whether oneDNN takes float16 operands."""
    return isa.has_fp16_support()


def onednn_has_fp8_support() -> bool:
    """Returns False: this oneDNN has no 8-bit floating point numbers."""
    return False


def isa_has_avx2_support() -> bool:
    """Returns whether this processor has AVX2."""
    return isa.has("AVX2")


def isa_has_avx2_vnni_support() -> bool:
    """Returns whether this processor has AVX2 with VNNI."""
    return isa.has("AVX2_VNNI")


def isa_has_avx512_support() -> bool:
    """Returns whether this processor has AVX-512."""
    return isa.has("AVX512")


def isa_has_avx512_vnni_support() -> bool:
    """Returns whether this processor has AVX-512 with VNNI."""
    return isa.has("AVX512_VNNI")


def isa_has_avx512_bf16_support() -> bool:
    """Returns whether this processor has bfloat16 instructions of AVX-512."""
    return isa.has("AVX512_BF16")


def isa_has_amx_support() -> bool:
    """Returns whether this processor has AMX."""
    return isa.has("AMX")


def isa_has_avx512_fp16_support() -> bool:
    """Returns whether this processor has float16 instructions of AVX-512, and AMX."""
    return isa.has("AVX512_FP16")


def isa_has_amx_fp16_support() -> bool:
    """Returns whether this processor has AMX for float16."""
    return bool(torch.cpu.get_capabilities().get("amx_fp16", False))


def set_fp32_math_mode(mode: FP32MathMode) -> None:
    """Sets the math mode of PyTorch's CPU kernels; errors are those of `ipex.set_fp32_math_mode`."""
    math_mode.set_fp32_math_mode(mode)


def get_fp32_math_mode() -> FP32MathMode:
    """Returns the math mode of PyTorch's CPU kernels."""
    return math_mode.get_fp32_math_mode()


def __getattr__(name: str) -> Any:
    hint = "" if name.startswith("__") else f"; see {MIGRATION_PAGE} of torch_ipex_device"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
