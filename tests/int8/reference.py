"""INT8 inference in float64 on the CPU, written from docs/int8_recipe.md: what results of the device are compared with.

    with Reference(entries) as reference:
        expected = model(x)  # float64

The model runs on the CPU in float64. Every operator that has an entry is replaced by its arithmetic in int8, and tensors
hold whole numbers divided by their scale once an operator in int8 has read them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from torch_ipex_device.int8 import Entry

NEAR = 1e-4  # steps from a tie where float32 may round to the other side


def is_float32(values: Tensor) -> bool:
    """Whether float32 holds the values exactly."""
    return torch.equal(values.nan_to_num(), values.float().double().nan_to_num())


@dataclass(frozen=True)
class Rounding:
    """How values become int8 or uint8: q = saturate(round(x * scale))."""

    scale: float
    uint8: bool

    def steps(self, values: Tensor) -> Tensor:
        """The values times the scale, saturated, not yet whole numbers. NaN becomes 0."""
        scale = torch.tensor(self.scale, dtype=torch.float32)
        if is_float32(values):  # the device multiplies in float32, where other values are ties
            steps = (values.float() * scale).double()
        else:
            steps = values * scale.double()
        low, high = (0, 255) if self.uint8 else (-128, 127)
        return steps.nan_to_num(nan=0.0).clamp(low, high)

    def __call__(self, values: Tensor) -> Tensor:
        """The rounded values, as float64."""
        return self.steps(values).round() / torch.tensor(self.scale, dtype=torch.float32).double()


@dataclass
class Values:
    """What is known of the values of a storage.

    Attributes:
        tensor: that the operator made.
        due: how they are rounded when an operator in int8 reads them; None: they are float32 values like any other.
        exact: the values before they were rounded; None as long as they are not.
    """

    tensor: Tensor
    due: Rounding | None
    exact: Tensor | None = None

    def ties(self) -> int:
        """How many values were rounded, or are due to be, so near to a tie that float32 may round them otherwise."""
        if self.due is None:
            return 0
        steps = self.due.steps(self.tensor if self.exact is None else self.exact)
        return int(((steps - steps.floor() - 0.5).abs() < 2 * NEAR).sum())


def rounded_weights(weight: Tensor, granularity: str) -> tuple[Tensor, Tensor]:
    """Returns the weights as whole numbers, and the scale of each output channel."""
    rows = weight.flatten(1).float()
    largest = rows.abs().amax(1)
    if granularity == "per_tensor":
        largest = largest.max().expand(len(rows))
    scales = 127 / largest
    scales = torch.where(scales.isfinite(), scales, torch.ones_like(scales))
    whole = (rows * scales[:, None]).clamp(-128, 127).round()
    return whole.double().view_as(weight), scales.double()


class Reference(TorchFunctionMode):
    """Runs float64 modules on the CPU with the arithmetic of int8.

    Args:
        entries: the recipe.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__()
        self.entries = entries
        self.position = 0
        self.all_values: list[Values] = []
        self._by_storage: dict[int, Values] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__
        kwargs = kwargs or {}
        if name in MULTIPLY:
            return self._multiply(MULTIPLY[name], *args, **kwargs)
        if name in POOL and not (name == "mean" and not kwargs.get("keepdim", args[2:])):
            return self._pool(name, *args, **kwargs)
        if name in FOLLOW:
            return self._follow(FOLLOW[name], *args, **kwargs)
        if name in JOIN and all(isinstance(each, Tensor) and each.dim() > 0 for each in args[:2]):
            return self._join(JOIN[name], *args, **kwargs)
        if name in ("cat", "concat"):
            return self._cat(*args, **kwargs)
        result = func(*args, **kwargs)
        is_in_place = kwargs.get("inplace") or (name.endswith("_") and not name.endswith("__"))
        if is_in_place or name == "__setitem__":  # and no operator of the recipe
            self._by_storage.pop(args[0].untyped_storage()._cdata, None)
        return result

    def values_of(self, tensor: Tensor) -> Values | None:
        """What is known of a tensor, or of that of which it is a view."""
        return self._by_storage.get(tensor.untyped_storage()._cdata)

    def ties(self, but: Tensor) -> int:
        """How many values are near to a tie, without those of one tensor."""
        return sum(values.ties() for values in self.all_values if values is not self.values_of(but))

    def _next(self, name: str) -> Entry:
        entry = self.entries[self.position % len(self.entries)]
        assert entry.name == name, f"entry {entry.id} is {entry.name}, the program runs {name}"
        self.position += 1
        return entry

    def _made(self, tensor: Tensor, entry: Entry) -> Tensor:
        due = Rounding(entry.outputs_scale[0], entry.outputs_uint8_used[0]) if entry.quantized else None
        values = Values(tensor, due)
        self.all_values.append(values)  # which keeps the storage, so that no other one gets its address
        self._by_storage[tensor.untyped_storage()._cdata] = values
        return tensor

    def _round(self, values: Values) -> None:
        if values.exact is None and values.due is not None:
            values.exact = values.tensor.clone()
            values.tensor.copy_(values.due(values.tensor))

    def _read(self, tensor: Tensor, entry: Entry) -> tuple[Tensor, Rounding]:
        """The tensor as an operator in int8 reads it, and how it was rounded."""
        values = self.values_of(tensor)
        if values is not None and values.due is not None:
            self._round(values)
            return tensor, values.due
        otherwise = Rounding(entry.inputs_scale[0], entry.inputs_uint8_used[0])
        if not is_float32(tensor):
            self.all_values.append(Values(tensor.clone(), otherwise))
        return otherwise(tensor), otherwise

    def _is_unrounded(self, tensor: Tensor) -> bool:
        values = self.values_of(tensor)
        return values is not None and values.due is not None and values.exact is None

    def _read_due(self, tensor: Tensor) -> Tensor:
        values = self.values_of(tensor)
        if values is not None:
            self._round(values)
        return tensor

    def _multiply(self, row: tuple[str, Any], x: Tensor, weight: Tensor, bias: Any = None, *rest: Any) -> Tensor:
        name, function = row
        entry = self._next(name)
        if not entry.quantized or not weight.isfinite().all():
            return self._made(function(x, weight, bias, *rest), entry)
        values, rounding = self._read(x, entry)
        weights, scales = rounded_weights(weight, entry.weight_granularity)
        scale = torch.tensor(rounding.scale, dtype=torch.float32).double()
        sums = function((values * scale).round(), weights, None, *rest)
        shape = [1] * sums.dim()
        channels = sums.dim() - weight.dim() + 1  # behind them as many dimensions as a filter has
        shape[channels] = len(scales)
        result = sums / (scale * scales).view(shape)
        return self._made(result if bias is None else result + bias.view(shape), entry)

    def _pool(self, function: str, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        name, run = POOL[function]
        entry = self._next(name if x.dim() == 4 else name.replace("2d", "3d"))
        if not entry.quantized:
            return self._made(run(x, *args, **kwargs), entry)
        result = self._made(run(self._read(x, entry)[0], *args, **kwargs), entry)
        if function not in WITH_INDICES:
            self._round(self.all_values[-1])
        return result

    def _follow(self, row: tuple[str, Callable[..., Tensor]], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        in_place = kwargs.pop("inplace", False) or row[0].endswith("_")
        entry = self._next(row[0] + "_" if in_place and not row[0].endswith("_") else row[0])
        result = row[1](x, *args, **kwargs)
        return self._made(x.copy_(result) if in_place else result, entry)

    def _join(self, row: tuple[str, Callable[..., Tensor]], x: Tensor, y: Tensor, **kwargs: Any) -> Tensor:
        entry = self._next(row[0])
        in_place = row[0].endswith("_")
        if entry.quantized:
            whole = 0 if in_place or self._is_unrounded(x) else 1 if self._is_unrounded(y) else 2
            x, y = (each if i == whole else self._read_due(each) for i, each in enumerate((x, y)))
        result = row[1](x, y, **kwargs)
        return self._made(x.copy_(result) if in_place else result, entry)

    def _cat(self, tensors: Sequence[Tensor], *args: Any, **kwargs: Any) -> Tensor:
        entry = self._next("Cat")
        if entry.quantized:
            tensors = [self._read_due(tensor) for tensor in tensors]
        return self._made(torch.cat(list(tensors), *args, **kwargs), entry)


# By name of the function in Python: name of the entry, and what computes it in float64.
MULTIPLY: dict[str, tuple[str, Any]] = {
    "conv1d": ("Convolution", F.conv1d),
    "conv2d": ("Convolution", F.conv2d),
    "conv3d": ("Convolution", F.conv3d),
    "linear": ("Linear", F.linear),
}
POOL: dict[str, tuple[str, Callable[..., Tensor]]] = {
    "adaptive_avg_pool2d": ("AdaptiveAvgPool2d", F.adaptive_avg_pool2d),
    "adaptive_avg_pool3d": ("AdaptiveAvgPool3d", F.adaptive_avg_pool3d),
    "adaptive_max_pool2d": ("MaxPooling", F.adaptive_max_pool2d),
    "avg_pool2d": ("AvgPool2d", F.avg_pool2d),
    "avg_pool3d": ("AvgPool3d", F.avg_pool3d),
    "max_pool2d": ("MaxPooling", F.max_pool2d),
    "max_pool3d": ("MaxPooling", F.max_pool3d),
    "mean": ("AdaptiveAvgPool2d", torch.mean),
}
WITH_INDICES = {"adaptive_max_pool2d", "max_pool3d"}  # whose results are due to be rounded, like any other
FOLLOW: dict[str, tuple[str, Callable[..., Tensor]]] = {
    "batch_norm": ("BatchNorm", F.batch_norm),
    "gelu": ("Gelu", F.gelu),
    "hardsigmoid": ("Hardsigmoid", F.hardsigmoid),
    "hardswish": ("Hardswish", F.hardswish),
    "hardtanh": ("Hardtanh", F.hardtanh),
    "relu": ("Relu", F.relu),
    "relu6": ("Hardtanh", F.relu6),
    "relu_": ("Relu_", F.relu),
    "sigmoid": ("Sigmoid", torch.sigmoid),
    "sigmoid_": ("Sigmoid_", torch.sigmoid),
    "silu": ("Silu", F.silu),
}
JOIN: dict[str, tuple[str, Callable[..., Tensor]]] = {
    "__add__": ("Add", torch.add),
    "__iadd__": ("Add_", torch.add),
    "__imul__": ("Mul_", torch.mul),
    "__mul__": ("Mul", torch.mul),
    "add": ("Add", torch.add),
    "add_": ("Add_", torch.add),
    "mul": ("Mul", torch.mul),
    "mul_": ("Mul_", torch.mul),
}
