"""The value of one parameter as the user knows it, beside the low-precision or folded parameter that computes."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from torch_ipex_device.optim.front_end import master_of, set_master


class Original:
    """What `state_dict` shows for a parameter and what `load_state_dict` writes to.

    Modules that share a parameter share its original. Neither `Module.buffers` nor `torch.jit` sees it.

    Args:
        parameter: has the value now; what it is given as `data` later does not change the original.
    """

    def __init__(self, parameter: nn.Parameter) -> None:
        self._tensor: nn.Parameter | None = nn.Parameter(parameter.data, requires_grad=parameter.requires_grad)
        self._optimizer: torch.optim.Optimizer | None = None
        self._parameter: nn.Parameter | None = None
        self._shown: weakref.ref[Tensor] | None = None

    def train(self, optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> None:
        """From now on `optimizer` keeps the value, as the master weight of `parameter`."""
        self._tensor, self._optimizer, self._parameter = None, optimizer, parameter

    def freeze(self) -> None:
        """Keeps the value that an optimizer has now."""
        self.__dict__.update(self.__getstate__())

    @property
    def is_trained(self) -> bool:
        """Whether an optimizer keeps the value, so that it may change with every step."""
        return self._tensor is None

    def value(self) -> Tensor:
        """Returns the value, float32."""
        if self._tensor is not None:
            return self._tensor
        assert self._optimizer is not None and self._parameter is not None
        return master_of(self._optimizer, self._parameter).detach()

    @torch.no_grad()
    def write(self, value: Tensor) -> None:
        """Replaces the value, in place."""
        if self._tensor is not None:
            self._tensor.copy_(value)
            return
        assert self._optimizer is not None and self._parameter is not None
        set_master(self._optimizer, self._parameter, value)

    def shown(self, state_dict: Mapping[str, Any], keep_vars: bool) -> Tensor:
        """Returns the tensor for `state_dict`; modules that share the parameter get one that shares memory."""
        if self._tensor is not None:
            return self._tensor if keep_vars else self._tensor.detach()
        before = self._shown() if self._shown is not None else None
        if before is not None and any(each is before for each in state_dict.values()):
            return before
        tensor = self.value()
        self._shown = weakref.ref(tensor)
        return tensor

    def move_to(self, device: torch.device) -> None:
        """Follows the model to another device."""
        if self._tensor is not None and self._tensor.device != device:
            self._tensor.data = self._tensor.data.to(device)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles hold the value itself; they do not share the optimizer."""
        tensor = self._tensor
        if tensor is None:
            assert self._parameter is not None
            tensor = nn.Parameter(self.value().clone(), requires_grad=self._parameter.requires_grad)
        return {"_tensor": tensor, "_optimizer": None, "_parameter": None, "_shown": None}
