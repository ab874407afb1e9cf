"""Calls one operator on CPU and on ipex with equal arguments, and says which path the ipex call took."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import torch

import torch_ipex_device
from torch_ipex_device import _C
from torch_ipex_device.testing.transfer import Transfer

from .row import Make, Row, Shape

IPEX = torch_ipex_device.DEVICE


class Paths(NamedTuple):
    """How often the operator ran natively and on the fallback."""

    native: int
    fallback: int


def split(arguments: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns positional and keyword arguments: a row writes the latter as a dictionary at the end."""
    if arguments and isinstance(arguments[-1], dict):
        return arguments[:-1], arguments[-1]
    return arguments, {}


def on_cpu(row: Row, arguments: tuple[Any, ...]) -> Any:
    """Returns the result of stock PyTorch."""
    positional, keywords = split(arguments)
    return row.call(*positional, **keywords)


def overload(name: str) -> Any:
    """Returns the operator of a full name: torch.ops.aten.add_.Tensor for "aten::add_.Tensor"."""
    operator, _, which = name.removeprefix("aten::").partition(".")
    return getattr(getattr(torch.ops.aten, operator), which or "default")


def out_names(name: str) -> list[str]:
    """Returns the keywords of the results of an out= overload: ["grad_input"]."""
    return [argument.name for argument in overload(name)._schema.arguments if argument.is_out]


def paths_of(name: str) -> Paths:
    """Returns how often the overload ran since the last reset."""
    return Paths(*torch.ipex.operator_stats().get(name, (0, 0)))


def in_physical_form(value: Any, made: dict[int, torch.Tensor] | None = None) -> Any:
    """Returns nested arguments with dense float tensors of 3 to 5 dimensions held in channels-last order."""
    made = {} if made is None else made  # one tensor twice stays one tensor
    if isinstance(value, torch.Tensor):
        if value.dim() not in (3, 4, 5) or not value.is_floating_point() or not value.is_contiguous():
            return value
        if id(value) not in made:
            made[id(value)] = _C.with_order(value, [0, *range(2, value.dim()), 1])
        return made[id(value)]
    if isinstance(value, (tuple, list)):
        return type(value)(in_physical_form(item, made) for item in value)
    return value


def on_ipex(row: Row, arguments: tuple[Any, ...], *, physical: bool = False) -> tuple[Any, Paths]:
    """Returns the result on ipex and the path taken; the arguments are copied with their strides and offsets."""
    moved = Transfer(IPEX)(arguments)
    positional, keywords = split(in_physical_form(moved) if physical else moved)
    torch.ipex.reset_fallback_stats()
    result = row.call(*positional, **keywords)
    return result, paths_of(row.operator)


def in_float64(value: Any) -> Any:
    """Returns nested arguments with floating-point tensors and dtypes widened."""
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, torch.dtype):
        return torch.float64 if value.is_floating_point else value
    if isinstance(value, tuple):
        return tuple(in_float64(item) for item in value)
    return value


def _by_way_of_float() -> frozenset[str]:
    """The operators that serve bfloat16 through their float32 kernel, as names of at::_ops."""
    table = Path(__file__).parents[2] / "csrc" / "amp" / "by_way_of_float.inc"
    names = re.findall(r"^IPEX_\w+_KERNEL\((\w+)\)", table.read_text(), re.MULTILINE)
    # Batch norm does so only with float32 parameters, and rows have all of one dtype.
    return frozenset(name for name in names if "batch_norm" not in name)


BY_WAY_OF_FLOAT = _by_way_of_float()
LOADS_BFLOAT16 = "aten::_scaled_dot_product_flash_attention_for_cpu"  # a loop of ours that converts as it reads


def has_kernel(row: Row, dtype: torch.dtype = torch.float32) -> bool:
    """Returns whether the operator has a kernel for the dtype on this instruction set."""
    if row.own:
        return dtype in row.dtypes
    isa = torch_ipex_device._C.cpu_isa()
    if dtype is torch.bfloat16 and row.operator.removeprefix("aten::").replace(".", "_") in BY_WAY_OF_FLOAT:
        return True
    if dtype not in row.dtypes or (row.isa and not isa.startswith(row.isa)):
        return False
    if dtype is torch.bfloat16:
        return isa.startswith("avx512") or row.operator == LOADS_BFLOAT16
    return dtype is torch.float32 or isa.startswith(("avx512_core_fp16", "avx512_core_amx"))


def generator(seed: int = 0) -> torch.Generator:
    """Returns a generator of its own, so that tests do not depend on their order."""
    return torch.Generator().manual_seed(seed)


def contiguous(dtype: torch.dtype = torch.float32, seed: int = 0) -> Make:
    """Returns a `make` for random tensors."""
    source = generator(seed)

    def make(shape: Shape) -> torch.Tensor:
        return torch.randn(shape, generator=source).mul_(2).to(dtype)

    return make
