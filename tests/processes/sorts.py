"""Tensors of all sorts, numbered: tensor i on ipex must be equal to tensor i on the CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def numbers(index: int, *shape: int, device: str, dtype: torch.dtype = torch.float32) -> Tensor:
    """Small whole numbers, which every dtype holds exactly, different from one index to the next."""
    count = torch.Size(shape).numel()
    return (torch.arange(count, device=device).view(shape) + index).remainder(97).to(dtype)


@torch.no_grad()
def convolved(index: int, device: str) -> Tensor:
    """On ipex a result that eager fusion has not computed yet."""
    weight = numbers(index + 1, 4, 3, 1, 1, device=device) - 48
    return torch.relu(nn.functional.conv2d(numbers(index, 1, 3, 4, 4, device=device), weight))


SORTS: dict[str, Callable[[int, str], Tensor]] = {
    "vector": lambda i, d: numbers(i, 50, device=d),
    "scalar": lambda i, d: numbers(i, device=d),
    "empty": lambda i, d: torch.empty(0, 3, device=d),
    "open": convolved,
    "matrix": lambda i, d: numbers(i, 17, 31, device=d, dtype=torch.int64),
    "bfloat16": lambda i, d: numbers(i, 7, 9, device=d, dtype=torch.bfloat16),
    "float16": lambda i, d: numbers(i, 5, device=d, dtype=torch.float16),
    "float64": lambda i, d: numbers(i, 5, 2, device=d, dtype=torch.float64),
    "complex": lambda i, d: numbers(i, 6, device=d, dtype=torch.complex64),
    "bool": lambda i, d: numbers(i, 40, device=d) > 48,
    "uint8": lambda i, d: numbers(i, 3, 3, device=d, dtype=torch.uint8),
    "transposed": lambda i, d: numbers(i, 4, 6, device=d).t(),
    "gaps": lambda i, d: numbers(i, 8, 8, device=d)[1::2, ::3],
    "expanded": lambda i, d: numbers(i, 5, 1, device=d).expand(5, 4),
    "overlapping": lambda i, d: numbers(i, 12, device=d).unfold(0, 4, 2),
    "channels_last": lambda i, d: numbers(i, 2, 3, 4, 5, device=d).to(memory_format=torch.channels_last),
    "gradient": lambda i, d: numbers(i, 9, device=d).requires_grad_(),
    "parameter": lambda i, d: nn.Parameter(numbers(i, 3, 5, device=d)),
    "large": lambda i, d: numbers(i, 100, 300, device=d),
}
MAKERS = list(SORTS.values())


def make(index: int, device: str) -> Tensor:
    """Tensor number `index`."""
    return MAKERS[index % len(MAKERS)](index, device)


def make_list(first: int, count: int, device: str) -> list[Tensor]:
    """`count` tensors from number `first` on; every fifth is a view of the one before instead, where that has rows."""
    tensors: list[Tensor] = []
    for index in range(first, first + count):
        if index % 5 == 4 and tensors and tensors[-1].numel() > 1:
            tensors.append(tensors[-1].detach()[1:])
        else:
            tensors.append(make(index, device))
    return tensors


def check(got: Tensor, expected: Tensor, index: int) -> float:
    """Compares everything that a program can see; returns a checksum of the values."""
    same = {
        "device": got.device.type == "ipex",
        "class": type(got) is type(expected),
        "dtype": got.dtype == expected.dtype,
        "shape": got.shape == expected.shape,
        "strides": got.stride() == expected.stride(),
        "offset": got.storage_offset() == expected.storage_offset(),
        "requires_grad": got.requires_grad == expected.requires_grad,
        "values": torch.equal(got.detach().cpu(), expected.detach()),
    }
    if not all(same.values()):
        raise RuntimeError(f"tensor {index} differs: {same}, got {got}, expected {expected}")
    return checksum(got)


def checksum(tensor: Tensor) -> float:
    """A whole number, exact however often it is added up."""
    return tensor.detach().cpu().to(torch.complex128).real.sum().item()
