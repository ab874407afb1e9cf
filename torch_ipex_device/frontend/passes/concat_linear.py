"""Finds linear layers that read the same tensor, and lets them be computed together."""

from __future__ import annotations

from collections.abc import Iterator

from torch import fx, nn

from torch_ipex_device.frontend.kinds import has_weight, is_plain, stock_class, uses
from torch_ipex_device.frontend.modules import Linear
from torch_ipex_device.frontend.originals import originals_of
from torch_ipex_device.frontend.sibling_linear import NativeSiblingLinear, SiblingLinear, Siblings
from torch_ipex_device.frontend.tracing import Part, Traces, has_hooks

_NAMES = (
    ("gate_proj", "up_proj"),
    ("k", "q", "v"),
    ("k_lin", "q_lin", "v_lin"),
    ("k_proj", "q_proj", "v_proj"),
    ("key", "query", "value"),
)
"""What siblings are called where tracing cannot find them. A wrong guess is given up at the first call."""


def run(model: nn.Module, traces: Traces) -> None:
    """Groups linear layers of a model, in place.

    Args:
        model: the model, in evaluation mode.
        traces: its data flow.
    """
    owners = uses(model)
    grouped: set[nn.Module] = set()
    for candidates in _candidates(model, traces):
        members = [each for each in candidates if _joins(each, owners) and each not in grouped]
        for group in _alike(members):
            siblings = Siblings(group)
            grouped.update(group)
            for member in group:
                member.__class__ = NativeSiblingLinear if isinstance(member, Linear) else SiblingLinear
                vars(member)["_ipex_siblings"] = siblings


def _candidates(model: nn.Module, traces: Traces) -> Iterator[list[nn.Linear]]:
    traced: set[nn.Module] = set()
    for part in traces.parts:
        traced.update(part.module.modules())
        yield from _readers(part)
    for module in model.modules():
        if module not in traced:
            for names in _NAMES:
                children = [module._modules.get(name) for name in names]
                if all(isinstance(child, nn.Linear) for child in children):
                    yield [child for child in children if isinstance(child, nn.Linear)]


def _readers(part: Part) -> Iterator[list[nn.Linear]]:
    graph = part.graphs[0]
    found: dict[fx.Node, list[nn.Linear]] = {}
    for path, node in part.called_once(graph).items():
        module = part.module.get_submodule(path)
        if isinstance(module, nn.Linear) and len(node.args) == 1 and isinstance(node.args[0], fx.Node):
            found.setdefault(node.args[0], []).append(module)
    yield from found.values()


def _joins(layer: nn.Linear, owners: dict[int, int]) -> bool:
    originals = originals_of(layer)
    return (
        stock_class(layer) is nn.Linear
        and is_plain(layer)
        and has_weight(layer)
        and "_ipex_siblings" not in vars(layer)
        and (originals is None or originals.batch_norm is None)
        and not has_hooks(layer)
        and all(owners[id(each)] == 1 for each in layer._parameters.values() if each is not None)
    )


def _alike(layers: list[nn.Linear]) -> Iterator[list[nn.Linear]]:
    groups: dict[object, list[nn.Linear]] = {}
    for layer in layers:
        key = (layer.in_features, layer.weight.dtype, layer.weight.device, layer.bias is None)
        groups.setdefault(key, []).append(layer)
    return (group for group in groups.values() if len(group) > 1)
