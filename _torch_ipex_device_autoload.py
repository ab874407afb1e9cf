"""Entry point of `import torch`: names the device `ipex` and installs `torch.ipex` without loading the device.

A registered accelerator changes CPU-only programs (fork after backward, `nn.DataParallel`), so until a program touches
`ipex` nothing but the name, the methods `.ipex()` and `.is_ipex` and this lazy module exists. First use, or
`import torch_ipex_device`, loads the C++ library, the guard and the kernels: that is called activation.
"""

from __future__ import annotations

import importlib
import types
from typing import Any

NAME = "ipex"

# The surface of `torch.ipex`: attribute -> submodule of torch_ipex_device.device that defines it ("" = the submodule of
# that name itself). Access activates the device. Names are sorted; there is no second list of them.
# fmt: off
SURFACE: dict[str, str] = {
    "DeviceProperties": "properties",
    "Event": "streams",
    "FusionCount": "fusion",
    "OperatorCount": "fallback",
    "OutOfMemoryError": "memory",
    "Stream": "streams",
    "StreamContext": "streams",
    "_utils": "",
    "amp": "",
    "as_cpu": "interop",
    "can_device_access_peer": "context",
    "current_device": "context",
    "current_stream": "streams",
    "default_generators": "random",
    "default_stream": "streams",
    "device": "context",
    "device_of": "context",
    "eager_fusion": "fusion",
    "empty_cache": "memory",
    "explain": "explain",
    "fallback_policy": "fallback",
    "fallback_stats": "fallback",
    "from_cpu": "interop",
    "fusion_stats": "fusion",
    "get_arch_list": "properties",
    "get_device_capability": "properties",
    "get_device_name": "properties",
    "get_device_properties": "properties",
    "get_fallback_policy": "fallback",
    "get_rng_state": "random",
    "get_rng_state_all": "random",
    "initial_seed": "random",
    "ipc_collect": "context",
    "is_bf16_supported": "properties",
    "mark_written": "forms",
    "max_memory_allocated": "memory",
    "max_memory_reserved": "memory",
    "mem_get_info": "memory",
    "memory": "",
    "memory_allocated": "memory",
    "memory_reserved": "memory",
    "memory_stats": "memory",
    "memory_stats_as_nested_dict": "memory",
    "memory_summary": "memory",
    "operator_stats": "fallback",
    "physical_form": "forms",
    "random": "",
    "reset_accumulated_memory_stats": "memory",
    "reset_fallback_stats": "fallback",
    "reset_peak_memory_stats": "memory",
    "seed": "random",
    "seed_all": "random",
    "set_device": "context",
    "set_eager_fusion": "fusion",
    "set_fallback_policy": "fallback",
    "set_rng_state": "random",
    "set_rng_state_all": "random",
    "set_stream": "streams",
    "stream": "streams",
    "streams": "",
}
# fmt: on


class LazyDeviceModule(types.ModuleType):
    """`torch.ipex`: answers the questions that PyTorch asks every backend, and loads the device for anything else."""

    def __init__(self) -> None:
        super().__init__(f"torch.{NAME}", "The ipex device; see torch_ipex_device.device.")
        self.__path__: list[str] = []
        self._initialized = False  # the name that torch.utils.checkpoint looks up
        self._pending_seed: int | None = None

    def is_available(self) -> bool:
        """Returns True once the device has been activated (by first use or by `import torch_ipex_device`)."""
        return self._initialized

    def device_count(self) -> int:
        """Returns the number of ipex devices: 0 before activation, 1 after."""
        return int(self._initialized)

    def is_initialized(self) -> bool:
        """Returns True once the device has been activated."""
        return self._initialized

    def init(self) -> None:
        """Activates the device; does nothing when it is active.

        Raises:
            ImportError: E302, E303 or E304 when a library is missing or does not match.
        """
        self._lazy_init()

    def _lazy_init(self) -> None:
        if not self._initialized:
            importlib.import_module("torch_ipex_device")

    def synchronize(self, device: Any = None) -> None:
        """Waits for the device; before activation, when profilers of CPU programs ask, there is nothing to wait for."""
        if self._initialized:
            importlib.import_module("torch_ipex_device.device.context").synchronize(device)

    def _is_in_bad_fork(self) -> bool:
        return False  # host memory and kernels work in a forked child

    def manual_seed_all(self, seed: int) -> None:
        """Seeds the generator of every ipex device; before activation the seed is kept for it."""
        if self._initialized:
            importlib.import_module("torch_ipex_device.device.random").manual_seed(seed)
        else:
            self._pending_seed = int(seed)

    def manual_seed(self, seed: int) -> None:
        """Seeds the generator of the ipex device; before activation the seed is kept for it."""
        self.manual_seed_all(seed)

    def get_amp_supported_dtype(self) -> list[Any]:
        """Returns the dtypes that `torch.autocast("ipex")` accepts."""
        import torch

        return [torch.bfloat16, torch.float16]

    def _mark_activated(self) -> int | None:
        """Called once by torch_ipex_device when kernels are registered; returns the seed set before, if any."""
        self._initialized = True
        seed, self._pending_seed = self._pending_seed, None
        return seed

    def __getattr__(self, name: str) -> Any:
        if name not in SURFACE:
            raise AttributeError(f"module 'torch.{NAME}' has no attribute {name!r}")
        self._lazy_init()
        module = importlib.import_module(f"torch_ipex_device.device.{SURFACE[name] or name}")
        value = module if not SURFACE[name] else getattr(module, name)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *SURFACE})


def install() -> None:
    """Names the backend and installs `torch.ipex`; called at the end of `import torch`, does nothing the second time."""
    import torch

    if isinstance(getattr(torch, NAME, None), LazyDeviceModule):
        return
    torch.utils.rename_privateuse1_backend(NAME)
    module = LazyDeviceModule()
    torch._register_device_module(NAME, module)
    torch.utils.generate_methods_for_privateuse1_backend(for_storage=True)
    _hide_accelerator(module)
    _name_distributed_backend()


def _hide_accelerator(module: LazyDeviceModule) -> None:
    """Answers `torch._C._get_accelerator` for CPU programs, where it raises, as does `dist.barrier()`, until activation."""
    import torch

    original = torch._C._get_accelerator

    def get_accelerator(check: Any = None) -> torch.device:
        return original(check) if module.is_initialized() else torch.device("cpu")

    torch._C._get_accelerator = get_accelerator


def _name_distributed_backend() -> None:
    """Makes `init_process_group("ipex")` and the default of the device mean gloo, which serves CPU tensors as well."""
    import torch.distributed as dist

    if dist.is_available():
        setattr(dist.Backend, NAME.upper(), dist.Backend.GLOO)
        dist.Backend.default_device_backend_map[NAME] = dist.Backend.GLOO
