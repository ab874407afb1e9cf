"""The switches and the introspection of the old native module, as far as they have a meaning on this device.

The old module held global flags that changed results. Here only `enable_auto_dnnl` and its partners switch anything, and
they never change a result beyond rounding. docs/legacy_core.md, generated from this file, lists every old function.
"""

from __future__ import annotations

from typing import Any

import torch

import torch_ipex_device
from _torch_ipex_device_compat import parameter_tags
from _torch_ipex_device_compat.core_names import REMOVED
from torch_ipex_device.core.errors import error

_training_mode = False


def enable_auto_dnnl() -> None:
    """Uses native oneDNN kernels where there are some (the default)."""
    torch_ipex_device._C.set_native_enabled(True)


def disable_auto_dnnl() -> None:
    """Sends every operator to the CPU fallback."""
    torch_ipex_device._C.set_native_enabled(False)


def get_auto_dnnl() -> bool:
    """Returns whether native kernels are in use."""
    return bool(torch_ipex_device._C.native_enabled())


def enable_mix_bf16_fp32() -> None:
    """Switches automatic mixed precision in bfloat16 on for all threads, as `enable_auto_mixed_precision()` does."""
    torch_ipex_device.enable_auto_mixed_precision(torch.bfloat16, train=_training_mode)


def disable_mix_bf16_fp32() -> None:
    """Switches automatic mixed precision off for all threads."""
    torch_ipex_device.enable_auto_mixed_precision(None, train=_training_mode)


def get_mix_bf16_fp32() -> bool:
    """Returns whether operators called now compute in bfloat16 by themselves."""
    return torch_ipex_device.get_auto_mix_precision() == torch.bfloat16


def disable_mix_int8_fp32() -> None:
    """Does nothing: INT8 ends with the `AutoMixPrecision` block that began it."""


def get_mix_int8_fp32() -> bool:
    """Returns whether this thread runs under an INT8 recipe, in calibration or inference."""
    return torch_ipex_device.get_auto_mix_precision() == torch.int8


def disable_int8_calibration() -> None:
    """Does nothing: calibration ends with the `AutoMixPrecision` block that began it."""


def get_int8_calibration() -> bool:
    """Returns whether operators called now by this thread are calibrated."""
    run = torch_ipex_device._C.int8_run()
    return run is not None and run.calibrates


def set_execution_mode(train: bool) -> None:
    """Records whether a backward pass is to be expected; no result and no kernel depends on it."""
    global _training_mode
    _training_mode = bool(train)


def get_train() -> bool:
    """Returns the recorded execution mode, False until `set_execution_mode(True)`."""
    return _training_mode


def disable_jit_opt() -> None:
    """Does nothing: there are no TorchScript passes to switch off."""


def get_jit_opt() -> bool:
    """Returns False: there are no TorchScript passes."""
    return False


def set_xpu_mode(mode: str) -> None:
    """Accepts `"CPU"`, the only mode there is; anything else is a RuntimeError."""
    if mode != "CPU":
        raise RuntimeError(f"Unknown xpu mode {mode!r}; accepted: 'CPU'")


def is_dil_tensor(tensor: torch.Tensor) -> bool:
    """Returns whether the storage is in a physical form; False, as every storage is plain in this version."""
    _require_tensor("is_dil_tensor", tensor)
    return False


def is_int8_dil_tensor(tensor: torch.Tensor) -> bool:
    """Returns whether an ipex tensor is the result of an operator that computed in int8, or holds such values."""
    _require_tensor("is_int8_dil_tensor", tensor)
    return tensor.device.type == "ipex" and torch_ipex_device.physical_form(tensor).quantized_dtype is not None


def is_bf16_dil_tensor(tensor: torch.Tensor) -> bool:
    """Returns whether the device holds the values of a float32 tensor in bfloat16 only."""
    _require_tensor("is_bf16_dil_tensor", tensor)
    on_device = tensor.device.type == "ipex" and tensor.dtype == torch.float32
    return on_device and torch_ipex_device.physical_form(tensor).dtype == "BFloat16"


def is_fp32_dil_tensor(tensor: torch.Tensor) -> bool:
    """Returns whether an ipex tensor holds float32 values that its plain bytes do not hold."""
    _require_tensor("is_fp32_dil_tensor", tensor)
    if tensor.device.type != "ipex":
        return False
    form = torch_ipex_device.physical_form(tensor)
    return not form.plain and form.dtype == "Float" and form.quantized_dtype is None


def get_dil_tensor_sizes(tensor: torch.Tensor) -> list[int]:
    """Returns the sizes of the physical form; empty for a plain storage, so always in this version."""
    _require_tensor("get_dil_tensor_sizes", tensor)
    return []


def get_dil_tensor_strides(tensor: torch.Tensor) -> list[int]:
    """Returns the strides of the physical form; empty for a plain storage, so always in this version."""
    _require_tensor("get_dil_tensor_strides", tensor)
    return []


def reorder_to_float32(tensor: torch.Tensor) -> None:
    """Does nothing: the values of a plain storage already are what its dtype says."""
    _require_tensor("reorder_to_float32", tensor)


def set_parameter_tensor(tensor: torch.Tensor) -> None:
    """Tags the storage of an ipex tensor as that of a parameter; CPU tensors are left alone. Nothing reads the tag."""
    _require_tensor("set_parameter_tensor", tensor)
    if tensor.device.type == "ipex":
        parameter_tags.add(tensor)


def is_parameter_tensor(tensor: torch.Tensor) -> bool:
    """Returns whether an ipex tensor is a `torch.nn.Parameter` or shares a tagged storage; False for CPU tensors."""
    _require_tensor("is_parameter_tensor", tensor)
    if tensor.device.type != "ipex":
        return False
    return isinstance(tensor, torch.nn.Parameter) or parameter_tags.has(tensor)


def _get_git_revs() -> dict[str, str]:
    """Returns the versions of this package (`ipex`) and the revision of PyTorch (`torch`)."""
    return {"ipex": torch_ipex_device.__version__, "torch": str(torch.version.git_version)}


def _require_tensor(where: str, value: object) -> None:
    if not isinstance(value, torch.Tensor):
        raise error("E101", where, f"argument is {type(value).__name__}; supported: torch.Tensor")


def __getattr__(name: str) -> Any:
    hint = f"; {REMOVED[name]}" if name in REMOVED else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
