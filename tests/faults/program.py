"""Program: something to compute of inputs that are made on the CPU, and how to run it on a device."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from torch_ipex_device.testing.flatten import tensors_in


@dataclass(frozen=True)
class Program:
    """One row of a table.

    Attributes:
        name: of the test.
        call: takes the inputs, on whatever device they are, and returns tensors.
        inputs: tensors and modules on the CPU; runs get copies.
        writes: the indices of the inputs that `call` writes. After a fault they may be old, new or, in training, between.
        coefficient: times the tolerance of `torch.testing.assert_close` when ipex is compared with the CPU.
        is_one_write: whether what it writes is old or new after a fault, not between.
        is_random: whether it draws random numbers; it seeds the generator itself.
        is_heavy: whether a run takes long; it then gets few faults.
    """

    name: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...] = ()
    writes: Sequence[int] = ()
    coefficient: float = 10  # sums of some hundred products, in another order
    is_one_write: bool = False
    is_random: bool = False
    is_heavy: bool = False

    def fresh(self, device: str) -> list[Any]:
        """Returns copies of the inputs on the device."""
        with torch.no_grad():
            return [_copy(value, device) for value in self.inputs]


def _copy(value: Any, device: str) -> Any:
    if isinstance(value, nn.Module):
        return copy.deepcopy(value).to(device)
    if isinstance(value, Tensor):
        return value.detach().clone().to(device).requires_grad_(value.requires_grad)
    return value


def values(result: Any) -> list[Tensor]:
    """Returns copies on the CPU of the tensors in a result; reading them computes what is open."""
    return [tensor.detach().to_dense().cpu().clone() for tensor in tensors_in(result)]


def state(inputs: Sequence[Any]) -> list[list[Tensor]]:
    """Returns copies on the CPU of the tensors of each input, parameters and buffers included."""
    return [values(list(value.state_dict().values()) if isinstance(value, nn.Module) else value) for value in inputs]
