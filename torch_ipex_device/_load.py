"""Loads libdnnl and the extension module so that their symbols bind as intended, or says in one sentence what is wrong.

Order matters. torch comes first: its libgomp becomes the process's only OpenMP runtime. Then libdnnl, found through the
metadata of its wheel whatever the installation scheme (venv, user, editable), with RTLD_LOCAL so that neither libtorch
nor libdnnl sees the other's copy of the C++ and oneDNN symbols that both define. Then the extension.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import os
from pathlib import Path
from types import ModuleType

from .core import config
from .core.errors import error

DNNL_DISTRIBUTION = "onednn-cpu-gomp"
DNNL_SONAME = "libdnnl.so.3"
_NOT_BUILT = "the compiled part is missing here (a source tree?); leave this folder or run: pip install ."
_TORCH_REMEDY = "run: pip install torch==2.13.0"
_DNNL_REMEDY = f"run: pip install {DNNL_DISTRIBUTION}==2023.2.0, or set IPEX_DNNL_LIBRARY to the path of {DNNL_SONAME}"


def load_extension() -> ModuleType:
    """Returns torch_ipex_device._C with libdnnl loaded.

    Raises:
        ImportError: E303 torch is missing or not the minor version built for, E302 libdnnl is missing or cannot be
            loaded, E304 the extension is not built or cannot be loaded.
    """
    _check_torch()
    _load_dnnl(_find_dnnl())
    try:
        return importlib.import_module("torch_ipex_device._C")
    except ModuleNotFoundError as cause:
        raise error("E304", "torch_ipex_device", _NOT_BUILT) from cause
    except ImportError as cause:
        message = f"the extension module _C cannot be loaded ({cause}); build it again with: pip install ."
        raise error("E304", "torch_ipex_device", message) from cause


def _check_torch() -> None:
    try:
        import torch
    except ModuleNotFoundError as cause:
        raise error("E303", "torch_ipex_device", f"PyTorch is not installed; {_TORCH_REMEDY}") from cause
    found, built_for = torch.__version__, _minor(_built_for("TORCH_VERSION"))
    if _minor(found) != built_for:
        message = f"PyTorch {found} is installed, this build is for {built_for}.*; {_TORCH_REMEDY}"
        raise error("E303", "torch_ipex_device", message)


def _built_for(name: str) -> str:
    try:
        return getattr(importlib.import_module("torch_ipex_device._built_for"), name)
    except ModuleNotFoundError as cause:
        raise error("E304", "torch_ipex_device", _NOT_BUILT) from cause


def _minor(version: str) -> str:
    return ".".join(version.split("+")[0].split(".")[:2])


def _find_dnnl() -> Path:
    chosen = config.read("IPEX_DNNL_LIBRARY")
    if chosen:
        return Path(chosen)
    if other := _built_for("DNNL_LIBRARY"):  # built with -DDNNL_ROOT against a oneDNN that is not the wheel's
        return Path(other)
    try:
        distribution = importlib.metadata.distribution(DNNL_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as cause:
        message = f"the oneDNN library (package {DNNL_DISTRIBUTION}) is not installed; {_DNNL_REMEDY}"
        raise error("E302", "torch_ipex_device", message) from cause
    for file in distribution.files or ():
        if file.name == DNNL_SONAME:
            return Path(str(distribution.locate_file(file))).resolve()
    raise error("E302", "torch_ipex_device", f"package {DNNL_DISTRIBUTION} has no {DNNL_SONAME}; {_DNNL_REMEDY}")


def _load_dnnl(path: Path) -> None:
    try:
        library = ctypes.CDLL(os.fspath(path), mode=ctypes.RTLD_LOCAL)
    except OSError as cause:
        raise error("E302", "torch_ipex_device", f"cannot load {path} ({cause}); {_DNNL_REMEDY}") from cause
    library.dnnl_version.restype = ctypes.POINTER(ctypes.c_int * 3)
    major, minor, _ = library.dnnl_version().contents
    if (major, minor) < (3, 2) or major != 3:
        raise error(
            "E302", "torch_ipex_device", f"{path} is oneDNN {major}.{minor}, 3.2 or later needed; {_DNNL_REMEDY}"
        )
