"""`ipex.set_fp32_math_mode`: whether PyTorch's CPU kernels may compute float32 products in bfloat16."""

from __future__ import annotations

import enum

import torch

from torch_ipex_device.core import config
from torch_ipex_device.core.errors import error


class FP32MathMode(enum.Enum):
    """How float32 convolutions, matrix products and recurrent layers compute.

    Attributes:
        FP32: as float32 says.
        TF32: with 10 bits of mantissa, as GPUs can; no CPU does.
        BF32: operands are rounded to bfloat16, sums and results stay float32.
    """

    FP32 = "FP32"
    TF32 = "TF32"
    BF32 = "BF32"


_PRECISIONS = {FP32MathMode.FP32: "ieee", FP32MathMode.TF32: "tf32", FP32MathMode.BF32: "bf16"}
_DEVICES = {"cpu": (FP32MathMode.FP32, FP32MathMode.BF32), "ipex": (FP32MathMode.FP32,)}
_KINDS = ("matmul", "conv", "rnn")


def set_fp32_math_mode(mode: FP32MathMode = FP32MathMode.FP32, device: str = "cpu") -> None:
    """Sets how float32 convolutions, matrix products and recurrent layers of PyTorch compute on CPU, in all threads.

    It is PyTorch's own switch `torch.backends.mkldnn.{matmul,conv,rnn}.fp32_precision`, all three at once. BF32 has an effect
    where the processor has instructions for bfloat16 products. While it is set, PyTorch refuses to answer its older question
    `torch.get_float32_matmul_precision()`.

    The kernels of this package know FP32 only, on ipex and where `ipex.optimize` uses them on CPU: what they compute in
    bfloat16 they also keep in bfloat16, and that is automatic mixed precision, or `ipex.optimize(..., dtype=torch.bfloat16)`.

    Args:
        mode: FP32 or BF32.
        device: "cpu"; "ipex" accepts FP32 only.

    Raises:
        TypeError: E101, `mode` is no `FP32MathMode`, or `device` no device.
        ValueError: E103, a mode that the device does not have, or another device; the text says what to use instead.

    Source: the archived extension's function of this name; oneDNN developer guide, "Floating-point Math Mode".

    Example:
        >>> ipex.set_fp32_math_mode(ipex.FP32MathMode.BF32)
        >>> ipex.get_fp32_math_mode()
        <FP32MathMode.BF32: 'BF32'>
        >>> ipex.set_fp32_math_mode()
    """
    if not isinstance(mode, FP32MathMode):
        raise error("E101", "set_fp32_math_mode", f"got {mode!r}; accepted: FP32MathMode.FP32, FP32MathMode.BF32")
    name = _device("set_fp32_math_mode", device)
    if mode not in _DEVICES[name]:
        accepted = " or ".join(each.name for each in _DEVICES[name])
        hint = "; for bfloat16 use ipex.enable_auto_mixed_precision(torch.bfloat16)" if name == "ipex" else ""
        raise error("E103", "set_fp32_math_mode", f"got {mode.name} for device {name}; accepted: {accepted}{hint}")
    if name == "cpu":
        for kind in _KINDS:
            getattr(torch.backends.mkldnn, kind).fp32_precision = _PRECISIONS[mode]


def get_fp32_math_mode(device: str = "cpu") -> FP32MathMode:
    """Returns what `set_fp32_math_mode`, or PyTorch's own switches, set.

    Args:
        device: "cpu" or "ipex"; the latter is always FP32.

    Returns:
        The mode, if convolutions, matrix products and recurrent layers have the same; otherwise FP32.

    Raises:
        TypeError: E101, `device` is no device.
        ValueError: E103, another device.
    """
    if _device("get_fp32_math_mode", device) == "ipex":
        return FP32MathMode.FP32
    precisions = {getattr(torch.backends.mkldnn, kind).fp32_precision for kind in _KINDS}
    return next((mode for mode, precision in _PRECISIONS.items() if precisions == {precision}), FP32MathMode.FP32)


def apply_environment() -> None:
    """Sets the mode that `IPEX_FP32_MATH_MODE` asks for; FP32, the default, leaves PyTorch's switches alone.

    Raises:
        ValueError: E501, the variable has an unknown value.
    """
    if config.read("IPEX_FP32_MATH_MODE") == FP32MathMode.BF32.name:
        set_fp32_math_mode(FP32MathMode.BF32)


def _device(where: str, device: object) -> str:
    accepted = ", ".join(_DEVICES)
    if not isinstance(device, (str, torch.device)):
        raise error("E101", where, f"got {type(device).__name__} as device; accepted: {accepted}")
    name = str(device).partition(":")[0]
    if name not in _DEVICES:
        raise error("E103", where, f"got device={str(device)!r}; accepted: {accepted}")
    return name


apply_environment()  # here, so that it happens once, with the import of the package
