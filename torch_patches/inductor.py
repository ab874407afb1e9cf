"""torch.compile: graphs of ipex tensors reach TorchInductor with the device's own operators in them."""

from __future__ import annotations

import functools
from typing import Any

import torch

WHY = """TorchInductor knows devices that register with it, which takes an import of a second that programs without
`torch.compile` should not pay, and sees graphs only after convolutions and what follows them have come apart. Compiling an
ipex tensor raises KeyError."""
UPSTREAM = "torch/_inductor/codegen/common.py, register_backend_for_device; no issue is open"
REMOVE_WHEN = "a backend can register lazily for torch.compile, with a pass over graphs as Dynamo captured them"


def apply() -> None:
    """Wraps what `torch.compile` calls as the backend "inductor"."""
    original = torch._TorchCompileInductorWrapper.__call__

    @functools.wraps(original)
    def compile_graph(self: Any, model_: Any, inputs_: Any, *, config_patches: dict[str, Any] | None = None) -> Any:
        from torch_ipex_device.compiler import on_device

        if not on_device.is_on_device(model_):
            return original(self, model_, inputs_, config_patches=config_patches)
        settings = {**self.config, **(config_patches or {})}
        return on_device.compile_graph(model_, inputs_, functools.partial(original, self), settings)

    torch._TorchCompileInductorWrapper.__call__ = compile_graph  # type: ignore[method-assign]
