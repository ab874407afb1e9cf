"""Linear layers that read the same tensor and are computed together.

The first layer that is called computes the results of all; the others find theirs there. They do so only if they are called
with the very same tensor, unchanged, so results never depend on the guess that they are siblings. A guess that turns out
wrong is given up.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import functional, modules


class Siblings:
    """A group of linear layers.

    Their weights become slices of one joint weight, so that there is no second copy and whoever writes one writes the other.

    Args:
        members: layers of the same number of inputs, dtype and device, all with a bias or all without.
    """

    def __init__(self, members: list[nn.Linear]) -> None:
        self.members = members
        self.joint: dict[str, Tensor] = {}
        self._reset()
        self.join()

    def _reset(self) -> None:
        self._pending = threading.local()
        self._lock = threading.Lock()

    def join(self) -> None:
        """Makes the joint weight and bias, if parameters are no slices of them (any more)."""
        with self._lock, torch.inference_mode(False), torch.no_grad():
            for name in ("weight", "bias"):
                parameters = [member._parameters[name] for member in self.members]
                given = [parameter for parameter in parameters if parameter is not None]
                if not given or self._is_joined(name, given):
                    continue
                joint = torch.cat([parameter.detach() for parameter in given])
                begin = 0
                for parameter in given:
                    parameter.data = joint[begin : begin + parameter.shape[0]]
                    begin += parameter.shape[0]
                self.joint[name] = joint

    def _is_joined(self, name: str, parameters: list[nn.Parameter]) -> bool:
        joint = self.joint.get(name)
        if joint is None or joint.dtype != parameters[0].dtype:
            return False
        memory, begin = joint.untyped_storage()._cdata, 0  # asking for the address of a tensor drops its packed copy
        for parameter in parameters:
            is_here = parameter.untyped_storage()._cdata == memory and parameter.storage_offset() == begin
            if not is_here or not parameter.is_contiguous():
                return False
            begin += parameter.numel()
        return begin == joint.numel()

    def result(self, member: nn.Linear, input: Tensor) -> Tensor | None:
        """Returns what `member` computes of `input`; None if the group is given up, or has changed."""
        state = _state(input)
        pending: dict[str, Any] = self._pending.__dict__
        number = self.members.index(member)
        results: dict[int, Tensor] = pending.get("results", {})
        if results:
            if pending["input"]() is input and pending["state"] == state and number in results:
                return results.pop(number)
            results.clear()
            self.dissolve()
            return None
        if not self._agree():
            self.dissolve()
            return None
        self.join()
        call = functional.linear if isinstance(member, modules.Linear) else F.linear
        joint = call(input, self.joint["weight"], self.joint.get("bias"))
        parts = joint.split([each.out_features for each in self.members], -1)
        pending["results"] = {index: part for index, part in enumerate(parts) if index != number}
        pending["input"], pending["state"] = weakref.ref(input), state
        return parts[number]

    def _agree(self) -> bool:
        """Whether the layers can still be computed together: somebody may have put another weight there."""
        first = self.members[0]
        return all(
            each.weight.shape == (each.out_features, first.in_features)
            and each.weight.dtype == first.weight.dtype
            and each.weight.device == first.weight.device
            and (each.bias is None) == (first.bias is None)
            for each in self.members
        )

    def dissolve(self) -> None:
        """Gives the group up: every layer computes for itself from now on."""
        for member in self.members:
            vars(member).pop("_ipex_siblings", None)

    def __getstate__(self) -> dict[str, Any]:
        return {"members": self.members, "joint": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()


class SiblingLinear(nn.Linear):
    """`torch.nn.Linear` that may be computed together with others.

    With gradients, and when somebody traces or compiles the model, it computes for itself.
    """

    def forward(self, input: Tensor) -> Tensor:
        siblings: Siblings | None = vars(self).get("_ipex_siblings")
        is_followed = torch.is_grad_enabled() or torch.jit.is_tracing() or functional.is_followed()
        if siblings is not None and not is_followed:
            result = siblings.result(self, input)
            if result is not None:
                return result
        return super().forward(input)


class NativeSiblingLinear(SiblingLinear, modules.Linear):
    """The same on `torch_ipex::linear`."""


def _state(input: Tensor) -> tuple[object, ...]:
    """What a result depends on besides the tensor's identity."""
    version = None if input.is_inference() else input._version
    device = input.device.type
    return version, torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
