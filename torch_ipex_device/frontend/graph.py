"""The `forward` of a model that was optimised with `graph_mode`: captured graphs in place of the program, where possible."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from .flat import trace
from .notice import warn

_MOST = 16
_Graph = Callable[..., Any]


class GraphForward:
    """Stands for `model.forward`, as an attribute of the model: its class, methods and state_dict stay.

    A graph belongs to one signature: shapes, dtypes and devices of tensors, values of everything else, autocast. It is
    captured by `jit.trace`, or else by `torch.compile`; if neither can, the program runs. It is dropped when a parameter
    changes. The program also runs in training mode, while gradients are recorded, and while somebody traces the model.

    Args:
        model: the model whose `forward` this is.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._reset()

    def _reset(self) -> None:
        self._graphs: dict[object, _Graph] = {}
        self._compiled: _Graph | None = None
        self._weights: object = None
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            return type(self._model).forward(self._model, *arguments, **keywords)
        reason = self._reason_against(arguments, keywords)
        if reason is not None:
            self._warn(reason)
            return type(self._model).forward(self._model, *arguments, **keywords)
        return self._graph(arguments, keywords)(*arguments, **keywords)

    def _reason_against(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> str | None:
        if self._model.training:
            return "the model is in training mode and runs as it is; call model.eval()"
        if torch.is_grad_enabled():
            given = [*pytree.tree_leaves((arguments, keywords)), *self._model.parameters()]
            if any(isinstance(each, Tensor) and each.requires_grad for each in given):
                return "gradients are recorded, so the model runs as it is; call it inside of torch.no_grad()"
        return None

    def _graph(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> _Graph:
        signature = _signature(arguments, keywords)
        if signature is None or self._compiled is not None:
            return self._compile()
        with self._lock:
            weights = _state(self._model)
            if weights != self._weights:
                self._graphs, self._weights = {}, weights
            if signature not in self._graphs:
                if len(self._graphs) >= _MOST:
                    self._graphs.pop(next(iter(self._graphs)))
                self._graphs[signature] = self._capture(arguments, keywords)
            return self._graphs[signature]

    def _capture(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> _Graph:
        try:
            return trace(self._program(), arguments, keywords)
        except Exception as exception:  # noqa: BLE001 - the user's code is traced, and may fail in every way
            self._warn(f"the model cannot be traced ({_line(exception)}), so torch.compile is used")
            return self._compile()

    def _compile(self) -> _Graph:
        if self._compiled is None:
            program = self._program()
            try:
                compiled = torch.compile(program, backend="ipex", dynamic=True)
            except Exception as exception:  # noqa: BLE001 - an unknown backend raises here
                self._warn(f"torch.compile failed ({_line(exception)}); runs the model as it is")
                self._compiled = program
                return program
            self._compiled = self._guarded(compiled, program)
        return self._compiled

    def _guarded(self, compiled: _Graph, program: _Graph) -> _Graph:
        """torch.compile compiles when it is called."""

        def call(*arguments: Any, **keywords: Any) -> Any:
            try:
                return compiled(*arguments, **keywords)
            except Exception as exception:  # noqa: BLE001 - errors of the compiler have many classes
                result = program(*arguments, **keywords)  # an error of the program itself is raised here
                self._warn(f"torch.compile failed ({_line(exception)}); runs the model as it is")
                self._compiled = program
                return result

        return call

    def _program(self) -> nn.Module:
        """Returns a module that shares all state with the model and has its class's own `forward`."""
        program = copy.copy(self._model)
        vars(program).pop("forward", None)
        program.training = False
        return program

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            warn(f"optimize: graph_mode: {text}")

    def __getstate__(self) -> dict[str, Any]:
        return {"_model": self._model}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()


def _line(exception: BaseException) -> str:
    while isinstance(exception, SystemError) and exception.__cause__ is not None:
        exception = exception.__cause__  # a warning that was made an error, inside of C
    return f"{type(exception).__name__}: {exception}".strip().partition("\n")[0]


def _signature(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> object:
    """What a graph depends on besides parameters; None if it cannot be told."""
    leaves, structure = pytree.tree_flatten((arguments, keywords))
    parts: list[object] = []
    for leaf in leaves:
        if isinstance(leaf, Tensor):
            parts.append((tuple(leaf.shape), leaf.stride(), leaf.dtype, leaf.device))
        elif leaf is None or isinstance(leaf, bool | int | float | str):
            parts.append((type(leaf), leaf))
        else:
            return None
    autocast = (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"))
    return tuple(parts), str(structure), autocast, torch.is_inference_mode_enabled()


def _state(model: nn.Module) -> object:
    """Changes when a parameter or a buffer does: frozen graphs hold values."""
    return [
        (tensor.untyped_storage()._cdata, None if tensor.is_inference() else tensor._version)
        for tensor in (*model.parameters(), *model.buffers())
    ]
