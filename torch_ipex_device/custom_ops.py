"""The operators of `torch.ops.torch_ipex`: our kernels for programs of CPU tensors.

`ipex.optimize` and `torch.compile(backend="ipex")` call them; programs may too. All tensors of a call are on CPU, or all on
ipex. Without gradients, operators keep packed copies of CPU weights beside the weights' own memory, until PyTorch writes
that. The schemas are in csrc/custom_ops/library.cpp; this module adds what C++ cannot say: fake results on another device.

Example:
    >>> x, layer = torch.ones(2, 8), torch.nn.Linear(8, 4)
    >>> with torch.no_grad():
    ...     y = torch.ops.torch_ipex.linear(x, layer.weight, layer.bias, post_op="relu")
    >>> torch.allclose(y, layer(x).relu())
    True
"""

from __future__ import annotations

import torch
from torch import Tensor, library


def _fake(device: str, input: Tensor) -> Tensor:
    return torch.empty_strided(input.shape, input.stride(), dtype=input.dtype, device=device)


@library.register_fake("torch_ipex::to_device")
def _to_device(input: Tensor) -> Tensor:
    return _fake("ipex:0", input)


@library.register_fake("torch_ipex::resident")
def _resident(weight: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    return _fake("ipex:0", weight.to(dtype or weight.dtype))


@library.register_fake("torch_ipex::to_host")
def _to_host(input: Tensor) -> Tensor:
    return _fake("cpu", input)
