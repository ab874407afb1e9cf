"""Operators that programs of TorchInductor call without `torch.ops`, on CPU tensors and on ipex tensors.

`torch.ops` takes arguments as boxed values: the 16 of a convolution cost 5 microseconds more than through a function of
`torch_ipex_device._C`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch._inductor.codegen.custom_extern_kernel_codegen import CUSTOM_EXTERN_KERNEL_CODEGEN, CustomCodegen
from torch._inductor.virtualized import V

_CALLS = {"torch.ops.torch_ipex.convolution.default": "convolution"}
"""Names in `torch.ops`, and in `torch_ipex_device._C`."""


@functools.cache
def register() -> None:
    """Makes the calls known to TorchInductor, once."""
    for operator, function in _CALLS.items():
        CUSTOM_EXTERN_KERNEL_CODEGEN[operator] = CustomCodegen(python=functools.partial(_write, function))


def _write(function: str, node: Any, writeline: Callable[[str], None]) -> None:
    name = f"_ipex_{function}"
    V.graph.wrapper_code.add_import_once(f"from torch_ipex_device._C import {function} as {name}")
    arguments = [*node.codegen_args(), *node.codegen_kwargs()]
    writeline(f"{node.get_name()} = {name}({', '.join(arguments)})")
