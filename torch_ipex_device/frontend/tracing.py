"""What symbolic tracing can prove about the data flow of a model, best effort, without changing the model."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules import module as module_hooks

from .graph import GraphForward

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_OURS = __name__.rpartition(".")[0]


@dataclass(frozen=True)
class Part:
    """A module that could be traced.

    Attributes:
        module: the module.
        graphs: its data flow when optional arguments have their defaults, and when they are given, if that can be traced.
    """

    module: nn.Module
    graphs: tuple[fx.Graph, ...]

    def called_once(self, graph: fx.Graph) -> dict[str, fx.Node]:
        """Returns the calls of modules that are called once and whose parameters nobody else reads, by their paths."""
        calls = [node for node in graph.nodes if node.op == "call_module"]
        counts = Counter(self.module.get_submodule(str(node.target)) for node in calls)
        read = {str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}
        return {
            str(node.target): node
            for node in calls
            if counts[self.module.get_submodule(str(node.target))] == 1 and node.target not in read
        }

    def is_hooked(self, first: str, second: str) -> bool:
        """Returns whether hooks see, or change, what passes between two modules, given by their paths."""
        left, right = first.split("."), second.split(".")
        common = 0
        while common < min(len(left), len(right)) and left[common] == right[common]:
            common += 1
        paths = [".".join(path[:end]) for path in (left, right) for end in range(common + 1, len(path) + 1)]
        return any(has_hooks(self.module.get_submodule(path)) for path in paths)


class Traces:
    """The parts of a model that can be traced, found when somebody asks for them.

    The model itself if possible, otherwise its children, and so on. What a part does is taken to be what its own `forward`
    does: that a module above it, which cannot be traced, calls modules inside of it in another way is not noticed.

    Args:
        model: the model; `forward` of its modules is called with placeholders.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.failures: dict[str, str] = {}
        """Reasons, by the paths of the modules that cannot be traced."""

    @functools.cached_property
    def parts(self) -> tuple[Part, ...]:
        """All parts; none while global module hooks are registered, which would see placeholders."""
        if module_hooks._global_forward_hooks or module_hooks._global_forward_pre_hooks:
            self.failures[""] = "global module hooks are registered"
            return ()
        with _preserved(self._model):
            return tuple(self._parts(self._model, "", set()))

    def _parts(self, module: nn.Module, path: str, seen: set[nn.Module]) -> Iterator[Part]:
        layers = (nn.Linear, nn.modules.conv._ConvNd)
        if module in seen or not any(isinstance(each, layers) for each in module.modules()):
            return
        seen.add(module)
        if not isinstance(module, nn.ModuleDict | nn.ModuleList):  # they have no forward
            if path and _Tracer().is_leaf_module(module, path):
                return
            try:
                yield Part(module, _graphs(module))
                return
            except Exception as exception:  # noqa: BLE001 - the user's code runs, and may fail in every way
                self.failures[path] = f"{type(exception).__name__}: {exception}".partition("\n")[0]
        for name, child in module.named_children():
            yield from self._parts(child, f"{path}.{name}" if path else name, seen)


def has_hooks(module: nn.Module) -> bool:
    """Returns whether somebody sees the inputs, outputs or gradients of a module."""
    return any(getattr(module, name) for name in (*_HOOKS, "_backward_hooks", "_backward_pre_hooks"))


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True  # otherwise code that counts its calls in a buffer would count this one

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        ours = type(module).__module__.startswith(_OURS)
        return ours or isinstance(module, torch.jit.ScriptModule) or super().is_leaf_module(module, path)


def _graphs(module: nn.Module) -> tuple[fx.Graph, ...]:
    if not isinstance(vars(module).get("forward"), GraphForward | None):
        raise TypeError("its forward was replaced")
    parameters = inspect.signature(type(module).forward).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
    graphs = [_Tracer().trace(module, concrete_args=defaults or None)]
    if defaults:
        with contextlib.suppress(Exception):
            graphs.append(_Tracer().trace(module))
    return tuple(graphs)


@contextlib.contextmanager
def _preserved(model: nn.Module) -> Iterator[None]:
    """Restores afterwards what tracing changes: attributes of modules that `forward` sets, and random numbers.

    Hooks do not run in the block.
    """
    dicts: list[tuple[dict[str, Any], dict[str, Any]]] = []
    lists: list[tuple[list[Any], list[Any]]] = []
    for module in model.modules():
        if isinstance(module, torch.jit.ScriptModule):
            continue
        contents = vars(module)
        dicts += [(value, dict(value)) for value in (contents, *contents.values()) if type(value) is dict]
        lists += [(value, list(value)) for value in contents.values() if type(value) is list]
        for name in _HOOKS:
            contents[name] = type(contents[name])()
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)
        for contents, before in dicts:
            contents.clear()
            contents.update(before)
        for items, earlier in lists:
            items[:] = earlier
