"""`torch.compile(backend="ipex")`: the paths that a compiled graph can take, and the passes before them."""

from .setting import _get_compiler_backend, _set_compiler_backend

__all__ = ["_get_compiler_backend", "_set_compiler_backend"]
