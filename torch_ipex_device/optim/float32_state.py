"""Loading of optimizer state as float32 for parameters that are not float32 themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


@contextmanager
def loading_as_float32(optimizer: torch.optim.Optimizer, parameters: Container[Tensor]) -> Iterator[None]:
    """Context manager: `Optimizer.load_state_dict` takes some parameters for float32 ones.

    PyTorch casts loaded state to the dtype of its parameter. Inside of this context, between the hooks that the program
    registered before and after loading, empty float32 tensors take the place of `parameters`.

    Args:
        optimizer: whose `load_state_dict` is called inside.
        parameters: those whose state is float32.
    """
    groups = optimizer.param_groups
    chosen = [parameter for group in groups for parameter in group["params"] if parameter in parameters]
    places = {id(p): torch.empty((), dtype=torch.float32, device=p.device).expand(p.shape) for p in chosen}
    owners = {id(places[id(parameter)]): parameter for parameter in chosen}

    def put_places(_: torch.optim.Optimizer, __: dict[str, Any]) -> None:
        for group in optimizer.param_groups:
            group["params"] = [places.get(id(parameter), parameter) for parameter in group["params"]]

    def put_owners(_: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            group["params"] = [owners.get(id(place), place) for place in group["params"]]
        state = {owners.get(id(key), key): value for key, value in optimizer.state.items()}
        optimizer.state = defaultdict(dict, state)

    handles = [
        optimizer.register_load_state_dict_pre_hook(put_places),
        optimizer.register_load_state_dict_post_hook(put_owners, prepend=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        put_owners(optimizer)
