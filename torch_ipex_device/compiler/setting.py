"""Which path `torch.compile(backend="ipex")` takes."""

from __future__ import annotations

from torch_ipex_device.core.errors import error

PATHS = ("inductor", "torchscript")
_path = "inductor"


def _set_compiler_backend(backend: str = "inductor") -> None:
    """Sets the path of graphs that are compiled from now on, for the process.

    Args:
        backend: "inductor", for inference and training, or "torchscript", for inference: the graph is traced and its
            operators run on the device one by one, fused as they come.

    Raises:
        ValueError: E103, another path. (2.8 accepted it, and failed when a model was compiled.)

    Example:
        >>> ipex._set_compiler_backend("torchscript")
        >>> ipex._get_compiler_backend()
        'torchscript'
        >>> ipex._set_compiler_backend()
    """
    global _path
    if backend not in PATHS:
        raise error("E103", "_set_compiler_backend", f"got {backend!r}; accepted: {', '.join(PATHS)}")
    _path = backend


def _get_compiler_backend() -> str:
    """Returns the path of graphs that are compiled from now on: "inductor" at first, or "torchscript"."""
    return _path
