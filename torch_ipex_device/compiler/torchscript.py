"""The torchscript path: the graph is traced with its tensors on ipex, where operators fuse as they come. For inference.

Weights are arguments of the trace, not constants: what is loaded or trained later is seen. Their copies on ipex belong to
the memory of the weights (csrc/custom_ops/resident.h).
"""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_map_only

from .float32_bias import keep_float32_bias
from .functions import arguments, function, mutates, value_of
from .retarget import DEVICE, retarget
from .trace import frozen_trace

_log = logging.getLogger("torch_ipex_device")
_MOST_TRACES = 16  # of a graph with symbolic sizes; what comes later runs eagerly
_VIEWS = [
    "chunk",
    "contiguous",
    "detach",
    "expand",
    "flatten",
    "getitem",
    "narrow",
    "permute",
    "reshape",
    "select",
    "split",
    "squeeze",
    "t",
    "to",
    "transpose",
    "unbind",
    "unflatten",
    "unsqueeze",
    "view",
]
_MULTIPLY = (torch.conv1d, torch.conv2d, torch.conv3d, torch._C._nn.linear)


def compile_graph(graph_module: fx.GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
    """Returns the graph as a trace on ipex, of CPU tensors to CPU tensors.

    A graph whose gradients are recorded runs eagerly, with a warning.

    Args:
        graph_module: of CPU tensors; it stays as it is.
        example_inputs: as Dynamo gives them.

    Raises:
        RuntimeError: the graph cannot be traced.
    """
    tensors = [value for value in example_inputs if isinstance(value, Tensor)]
    if torch.is_grad_enabled() and any(value.requires_grad for value in tensors):
        _log.warning(
            "torch.compile(backend='ipex'): the torchscript path has no gradients, the graph runs eagerly; use "
            "torch.no_grad() for inference, ipex._set_compiler_backend('inductor') for training"
        )
        return graph_module.forward
    traces = _Traces(graph_module)
    if all(isinstance(value, Tensor) and _is_static(value) for value in example_inputs):
        with _disable_current_modes():
            return traces.make([_zeros(value) for value in tensors])
    return traces


@contextlib.contextmanager
def _same_random_numbers() -> Iterator[None]:
    """What is traced runs once more than the program says."""
    state = torch.ipex.get_rng_state()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.ipex.set_rng_state(state)  # type: ignore[attr-defined]


def _is_static(value: Tensor) -> bool:
    return all(isinstance(size, int) for size in (*value.shape, *value.stride()))


def _zeros(fake: Tensor) -> Tensor:
    return torch.empty_strided(fake.shape, fake.stride(), dtype=fake.dtype).zero_()


class _Traces:
    """A graph with symbolic sizes: one trace for each that comes."""

    def __init__(self, graph_module: fx.GraphModule) -> None:
        placeholders = graph_module.graph.find_nodes(op="placeholder")
        _check_that_inputs_stay(graph_module)
        self._eager = graph_module.forward
        self._graph = retarget(graph_module)
        low = _autocast_dtype(graph_module)
        self._weights = {place: _weight_dtype(node, low) for place, node in enumerate(placeholders) if _is_weight(node)}
        keep_float32_bias(self._graph, self._weights)
        self._made: dict[Any, Callable[..., Any]] = {}

    def make(self, args: Sequence[Any]) -> Callable[..., Any]:
        """Returns a function of the arguments that are tensors, for sizes like those of `args`."""
        program = _OnDevice(self._graph, self._weights, args)
        tensors = tuple(value for value in args if isinstance(value, Tensor))
        with torch.no_grad(), warnings.catch_warnings(), _same_random_numbers():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # sizes are those of the key
            traced = frozen_trace(program.eval(), tensors)
        shape = program.results

        def run(*args: Any) -> Any:
            with torch.no_grad():
                found = iter(traced(*args))
            return tuple(next(found) if is_tensor else value for is_tensor, value in shape)

        return run

    def __call__(self, *args: Any) -> Any:
        key = tuple((value.shape, value.stride()) if isinstance(value, Tensor) else value for value in args)
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= _MOST_TRACES:
                return self._eager(*args)
            found = self._made.setdefault(key, self.make(args))
        return found(*(value for value in args if isinstance(value, Tensor)))


class _OnDevice(nn.Module):
    """A graph of ipex tensors as a module of CPU tensors.

    Args:
        graph: of ipex tensors.
        weights: dtype of each input that is one.
        args: example; those that are no tensors become constants.

    Attributes:
        results: after a call, for each result: whether it is a tensor, or what it is.
    """

    def __init__(self, graph: fx.GraphModule, weights: dict[int, torch.dtype], args: Sequence[Any]) -> None:
        super().__init__()
        self.graph = graph
        self.weights = weights
        self.constants = {place: value for place, value in enumerate(args) if not isinstance(value, Tensor)}
        self.count = len(args)
        self.results: list[tuple[bool, Any]] = []
        self.autocast = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
        self.eval()

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        given = iter(tensors)
        args: list[Any] = []
        for place in range(self.count):
            if place in self.constants:
                args.append(self.constants[place])
            elif place in self.weights:
                args.append(torch.ops.torch_ipex.resident(next(given), self.weights[place]))
            else:
                args.append(next(given).to(DEVICE))
        enabled, dtype = self.autocast
        with torch.autocast("ipex", dtype=dtype, enabled=enabled), torch.autocast("cpu", enabled=False):
            results = self.graph(*args)
        results = results if isinstance(results, (tuple, list)) else (results,)
        self.results = [(True, None) if isinstance(value, Tensor) else (False, value) for value in results]
        return tuple(torch.ops.torch_ipex.to_host(value) for value in results if isinstance(value, Tensor))


def _is_weight(node: fx.Node) -> bool:
    """Whether an input is a parameter or a buffer, the same tensor at every call."""
    static = node.meta.get("tensor_dict", {}).get("_dynamo_static_input_type")
    return static is not None or isinstance(node.meta.get("example_value"), nn.Parameter)


def _autocast_dtype(graph_module: fx.GraphModule) -> torch.dtype | None:
    """The dtype of autocast, which is on for the whole graph or a part of it; None: it is off."""
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu")
    for node in graph_module.graph.nodes:
        if getattr(function(node), "__name__", "") == "_enter_autocast":
            return next((argument for argument in node.args if isinstance(argument, torch.dtype)), torch.bfloat16)
    return None


def _weight_dtype(node: fx.Node, low: torch.dtype | None) -> torch.dtype:
    """The dtype in which a weight is read: that of autocast, if it is only multiplied."""
    value = value_of(node)
    assert value is not None
    readers = [user for user in node.users if function(user) is not getattr]
    only_multiplied = all(function(user) in _MULTIPLY and user.args[1:2] == (node,) for user in readers)
    is_lowered = low is not None and value.dtype == torch.float32 and only_multiplied
    return low if is_lowered and low is not None else value.dtype


def _check_that_inputs_stay(graph_module: fx.GraphModule) -> None:
    """Raises RuntimeError when the graph writes an input, which the trace reads from a copy."""
    for node in graph_module.graph.nodes:
        called = function(node)
        if called is F.batch_norm:
            written = arguments(node, ("input", "running_mean", "running_var", "weight", "bias", "training"))
            target = written["running_mean"] if written["training"] else None
        else:
            target = node.args[0] if node.args and mutates(node) else None
        while isinstance(target, fx.Node) and target.op not in ("placeholder", "get_attr"):
            called = function(target)
            name = called if isinstance(called, str) else getattr(called, "__name__", "")
            is_view = name in _VIEWS or mutates(target)
            target = target.args[0] if is_view and target.args else None
        if isinstance(target, fx.Node):
            raise RuntimeError(f"it writes its input {target.name}")


def capture(model: nn.Module, args: tuple[Any, ...]) -> Callable[..., Any]:
    """Traces and freezes a module in eval mode; its weights become constants on ipex.

    Args:
        model: on CPU or ipex; it stays as it is.
        args: positional inputs, with tensors where `model` is.

    Returns:
        The frozen trace, of tensors where `model` is.

    Raises:
        RuntimeError: the module cannot be traced, or branches on values.
    """
    parameters = [*model.parameters(), *model.buffers()]
    is_on_device = any(tensor.device.type == "ipex" for tensor in parameters)
    program = model if is_on_device else _Hosted(model)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("error", torch.jit.TracerWarning)
        try:
            return frozen_trace(program, args)
        except (torch.jit.TracerWarning, SystemError) as cause:  # C++ wraps warnings that are errors
            warning = cause.__cause__ if isinstance(cause, SystemError) and cause.__cause__ is not None else cause
            raise RuntimeError(str(warning).split("\n")[0]) from cause


class _Hosted(nn.Module):
    """A copy of a module on ipex, as a module of CPU tensors."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).to(DEVICE).eval()

    def forward(self, *args: Any) -> Any:
        result = self.model(*tree_map_only(Tensor, lambda tensor: tensor.to(DEVICE), args))
        return tree_map_only(Tensor, torch.ops.torch_ipex.to_host, result)
