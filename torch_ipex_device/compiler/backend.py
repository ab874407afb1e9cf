"""The backend `ipex` of `torch.compile`; PyTorch finds it by the entry point of this package, without an import."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from torch import fx

import torch_ipex_device  # noqa: F401 - the operators that graphs are made of
from torch_ipex_device.core.errors import error

from . import inductor, torchscript
from .on_device import is_on_device
from .setting import _get_compiler_backend

_log = logging.getLogger("torch_ipex_device")

Compiled = Callable[..., Any]


def ipex(
    graph_module: fx.GraphModule,
    example_inputs: Sequence[Any],
    *,
    mode: str | None = None,
    options: dict[str, Any] | None = None,
) -> Compiled:
    """Compiles a graph that Dynamo captured.

    Graphs of CPU tensors take the path that `ipex._set_compiler_backend` chose. Graphs of ipex tensors run on the device as
    they are, without Python between operators of modules. What a path cannot compile runs eagerly, with one warning that
    says why.

    Args:
        graph_module: of torch functions on CPU tensors, or on ipex tensors.
        example_inputs: fake tensors and symbolic sizes, one per input; parameters are among them.
        mode: of `torch.compile`; only the inductor path knows modes.
        options: of `torch.compile`, settings of `torch._inductor.config`; only the inductor path knows them.

    Raises:
        ValueError: E103, a mode or options that the path does not know.
    """
    path = _get_compiler_backend()
    if path == "torchscript" and (mode not in (None, "default") or options):
        raise error("E103", "torch.compile", f"got mode={mode!r}, options={options!r}; the torchscript path has none")
    if is_on_device(graph_module):
        return graph_module.forward
    compile_graph = torchscript.compile_graph if path == "torchscript" else inductor.compile_graph
    settings = {} if path == "torchscript" else {"mode": mode, "options": options}
    try:
        return compile_graph(graph_module, example_inputs, **settings)
    except Exception as cause:
        if type(cause).__module__ == "torch._dynamo.exc" or (isinstance(cause, ValueError) and "E103" in str(cause)):
            raise  # Dynamo's own signals, and errors of the caller
        reason = str(cause).strip().split("\n")[0] or type(cause).__name__
        _log.warning(
            "torch.compile(backend='ipex'): the %s path cannot compile a graph, which runs eagerly: %s", path, reason
        )
        _log.debug("the whole reason", exc_info=cause)
        return graph_module.forward
