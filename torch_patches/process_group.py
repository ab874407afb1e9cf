"""Process groups hand ipex tensors to gloo as CPU tensors over the same memory."""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.distributed as dist

from torch_ipex_device import _C

WHY = """`init_process_group("gloo")`, and `"ipex:gloo"`, make a ProcessGroupGloo, whatever a backend has registered, and
put it in charge of the device. It refuses ipex tensors ("unsupported device type"), although their memory is host
memory. A group without a backend for CPU tensors, which `init_process_group()` makes, could not exchange objects either."""
UPSTREAM = "torch/distributed/distributed_c10d.py, _new_process_group_helper; no issue is open"
REMOVE_WHEN = "ProcessGroupGloo takes tensors of devices whose memory is host memory, or lets a backend wrap it"

TYPE = "ipex"


def apply() -> None:
    """Wraps `ProcessGroup._register_backend`, through which every backend of a group goes, and extends older groups."""
    if not dist.is_available():
        return
    original = dist.ProcessGroup._register_backend

    @functools.wraps(original)
    def register_backend(self: Any, device: torch.device, backend_type: Any, backend: Any = None) -> None:
        if device.type != TYPE or backend is None:
            return original(self, device, backend_type, backend)
        if torch.device("cpu") not in self._device_types:
            original(self, torch.device("cpu"), backend_type, backend)
        # A group bound to a device gets its parts by splitting, which gloo cannot.
        self.bound_device_id = None
        # A group holds one backend of each type, so this one cannot have the type of the one underneath.
        return original(self, device, dist.ProcessGroup.BackendType.CUSTOM, _for_device(backend))

    dist.ProcessGroup._register_backend = register_backend  # type: ignore[method-assign]
    # A copy: dicts of configurations made earlier may share the list.
    capability = dist.Backend.backend_capability
    capability[dist.Backend.GLOO] = [*capability[dist.Backend.GLOO], TYPE]
    for group in list(dist.distributed_c10d._world.pg_map):
        _extend(group)


def _for_device(backend: Any) -> Any:
    return backend if _C.is_alias_backend(backend) else _C.alias_backend(backend)


def _extend(group: Any) -> None:
    """Makes a group that serves CPU tensors, and is older than the device, serve ipex tensors through the same backend."""
    cpu = torch.device("cpu")
    if isinstance(group, dist.ProcessGroup) and cpu in group._device_types:
        group._register_backend(torch.device(TYPE), dist.ProcessGroup.BackendType.CUSTOM, group._get_backend(cpu))
