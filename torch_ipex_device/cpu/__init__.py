"""`ipex.cpu`: cores for parts of a program (`runtime`), and PyTorch's autocast under its archived name."""

from . import autocast, runtime

__all__ = ["autocast", "runtime"]
