"""Imports torchvision also where its C++ operators cannot load, as its CUDA build cannot beside a CPU build of torch.

torchvision's Python code attaches fake kernels to `torchvision::nms` and `torchvision::qnms` on import and fails when
its C++ library has not declared them. Models, transforms and data sets need neither operator.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")


def import_torchvision() -> ModuleType:
    """Returns the torchvision package, having declared the operators that its import needs if they are missing.

    Raises:
        ModuleNotFoundError: torchvision is not installed; the text names the command that installs it.

    Example:
        >>> resnet = import_torchvision().models.resnet50()
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None:
        raise ModuleNotFoundError(
            "torchvision is not installed; run `pip install --no-deps torchvision==0.28.0 pillow`", name="torchvision"
        )
    if not _load_operators(spec.submodule_search_locations or ()):
        for name in _OPERATORS:
            if not hasattr(torch.ops.torchvision, name):
                torch.library.define(f"torchvision::{name}", _SCHEMA)
    return importlib.import_module("torchvision")


def _load_operators(locations: Iterable[str]) -> bool:
    """Whether torchvision's own C++ library could be loaded; it is the first thing that its import tries, too."""
    for library in (path for location in locations for path in Path(location).glob("_C*.so")):
        try:
            torch.ops.load_library(library)
        except OSError:  # built against libraries that are not here, for instance CUDA's
            return False
        return True
    return False
