"""Graphs of ipex tensors that `torch.compile` hands to TorchInductor, its default backend."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

from torch_ipex_device import _C
from torch_ipex_device.core.errors import error

from .inductor import compile_fused

Compiled = Callable[..., Any]

# TorchInductor asks devices that it does not know for what CUDA has. Random numbers are those of the eager program.
_SETTINGS = {"cuda_backend": "cpp", "fallback_random": True, "size_asserts": False}


def is_on_device(graph_module: fx.GraphModule) -> bool:
    """Returns whether any tensor of a graph that Dynamo captured is on ipex."""
    values = (node.meta.get("example_value") for node in graph_module.graph.nodes)
    return any(_is_ipex(value) for value in values)


def compile_graph(
    graph_module: fx.GraphModule, example_inputs: Sequence[Any], compile_with: Compiled, settings: dict[str, Any]
) -> Compiled:
    """Returns the compiled graph.

    Convolutions and linear layers, with what follows them, become operators of `torch.ops.torch_ipex`, which run on the
    device's kernels with packed weights; TorchInductor generates C++ for the rest. Random numbers are those of the eager
    program. In automatic mixed precision and while an INT8 recipe is active, the graph runs operator by operator: these modes
    decide at every call, and have their own fusion.

    Args:
        graph_module: of ipex tensors; it stays as it is.
        example_inputs: as Dynamo gives them.
        compile_with: of the graph, its inputs and `config_patches`.
        settings: of `torch._inductor.config`, by the user.

    Raises:
        NotImplementedError: E104, `cpp_wrapper` is on.
    """
    from torch._inductor import config

    from . import codegen, like_cpu

    if settings.get("cpp_wrapper", config.cpp_wrapper):
        raise error("E104", "torch.compile", "got cpp_wrapper=True; accepted for ipex tensors: the Python wrapper")
    codegen.register()
    all_settings = {**_SETTINGS, **like_cpu.SETTINGS, **settings}
    compiled = compile_fused(graph_module, example_inputs, compile_with, all_settings)
    eager = graph_module.forward

    @functools.wraps(compiled)
    def run(*args: Any) -> Any:
        if _C.amp_mode()[0] or _C.int8_run() is not None:
            return eager(*args)
        return compiled(*args)

    return run


def _is_ipex(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == "ipex"
