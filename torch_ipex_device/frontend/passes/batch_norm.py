"""What the two foldings of batch norms share: which pairs of layer and batch norm may become one layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import fx, nn

from torch_ipex_device.core.log import logger
from torch_ipex_device.frontend.folding import BatchNorm
from torch_ipex_device.frontend.kinds import has_weight, is_plain, stock_class, uses
from torch_ipex_device.frontend.originals import originals_of
from torch_ipex_device.frontend.tracing import Part, Traces

Classes = Mapping[type[nn.Module], type[nn.Module]]


def pairs(model: nn.Module, traces: Traces, classes: Classes) -> list[tuple[nn.Module, BatchNorm]]:
    """Returns the layers whose only reader is a batch norm, with that batch norm.

    Args:
        model: in evaluation mode.
        traces: its data flow.
        classes: class of the layer -> class of the batch norm.
    """
    modules = list(model.modules())
    if not any(stock_class(each) in classes for each in modules) or not any(
        type(each) in classes.values() for each in modules
    ):
        return []
    owners = uses(model)
    places: dict[nn.Module, int] = {}
    for _, module in model.named_modules(remove_duplicate=False):
        places[module] = places.get(module, 0) + 1
    found = []
    for part in traces.parts:
        proven = [set(_followed(part, graph, classes)) for graph in part.graphs]
        for pair in _followed(part, part.graphs[0], classes):
            layer, batch_norm = pair
            shares = any(owners[id(each)] > 1 for each in layer._parameters.values() if each is not None)
            if all(pair in each for each in proven) and not shares and places[layer] == places[batch_norm] == 1:
                found.append(pair)
    return found


def _followed(part: Part, graph: fx.Graph, classes: Classes) -> Iterator[tuple[nn.Module, BatchNorm]]:
    once = part.called_once(graph)
    for path, node in once.items():
        source: Any = node.args[0] if len(node.args) == 1 and not node.kwargs else None
        if not isinstance(source, fx.Node) or once.get(str(source.target)) is not source or len(source.users) != 1:
            continue
        layer, batch_norm = part.module.get_submodule(str(source.target)), part.module.get_submodule(path)
        is_pair = type(batch_norm) is classes.get(stock_class(layer)) and not part.is_hooked(str(source.target), path)
        if is_pair and _fits(layer, cast(BatchNorm, batch_norm)):
            yield layer, cast(BatchNorm, batch_norm)


def _fits(layer: nn.Module, batch_norm: BatchNorm) -> bool:
    if not has_weight(layer) or not is_plain(batch_norm) or batch_norm.training:
        return False
    originals = originals_of(layer)
    if originals is not None and (
        originals.batch_norm is not None or any(e.is_trained for e in originals.entries.values())
    ):
        return False
    weight = originals.entries["weight"].value() if originals is not None else layer._parameters["weight"]
    assert weight is not None
    mean = batch_norm.running_mean
    return (
        batch_norm.track_running_stats
        and mean is not None
        and batch_norm.running_var is not None
        and weight.dtype in (torch.float32, torch.float64)
        and weight.device == mean.device
        and weight.shape[0] == batch_norm.num_features
    )


def report(knob: str, model: nn.Module, traces: Traces, classes: Classes) -> None:
    """Says once which modules could not be looked into, if batch norms are left in them."""
    left = [type(module) in classes.values() for module in model.modules()]
    if not any(left) or not traces.failures:
        return
    reasons = "; ".join(f"{path or 'the model'} ({reason})" for path, reason in list(traces.failures.items())[:3])
    more = f" and {len(traces.failures) - 3} more" if len(traces.failures) > 3 else ""
    logger.warning(
        "optimize: %s could not trace %s%s, so %d batch norms stay as they are; "
        "give modules whose forward can be traced by torch.fx, or set %s=False",
        knob, reasons, more, sum(left), knob,
    )  # fmt: skip
