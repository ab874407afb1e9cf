"""Attribute look-up of the legacy packages: forward to torch_ipex_device, else an error that names the replacement."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

import torch_ipex_device

from .names import Name, Table

TARGET = torch_ipex_device.__name__
MIGRATION_PAGE = "docs/migration.md"


def is_module(path: str) -> bool:
    """Returns whether `path`, below torch_ipex_device, is a module that can be imported.

    Args:
        path: dotted.
    """
    try:
        return importlib.util.find_spec(f"{TARGET}.{path}") is not None
    except ModuleNotFoundError:  # a part before the last is missing or no package
        return False


def find(path: str) -> tuple[bool, Any]:
    """Looks a name up in torch_ipex_device.

    Args:
        path: dotted, below the package.

    Returns:
        Whether it is there, and the object.
    """
    found: Any = torch_ipex_device
    so_far = ""
    for part in path.split("."):
        so_far = f"{so_far}.{part}" if so_far else part
        if not hasattr(found, part):
            if not isinstance(found, ModuleType) or not is_module(so_far):
                return False, None
            importlib.import_module(f"{TARGET}.{so_far}")
        found = getattr(found, part)
    return True, found


def provides(row: Name) -> bool:
    """Returns whether torch_ipex_device has what a row is about."""
    return find(row.path)[0]


def attribute(package: str, parent: str, name: str, names: Table) -> Any:
    """Returns what `package.parent.name` means today.

    Args:
        package: the legacy package.
        parent: dotted path of the module below it; empty for the package itself.
        name: the attribute. Private names are found if they have a row.
        names: the rows of the package.

    Raises:
        AttributeError: torch_ipex_device has no such name; the text says what to use instead, or where to look.
    """
    path = f"{parent}.{name}" if parent else name
    row = names.get(path)
    if row is not None or not name.startswith("_"):
        there, found = find(row.path if row else path)
        if there and isinstance(found, ModuleType):
            return importlib.import_module(f"{package}.{path}")  # by way of the import hook, which may add hints
        if there:
            return found
    module = f"{package}.{parent}" if parent else package
    raise AttributeError(f"module {module!r} has no attribute {name!r}{hint(path, names)}")


def hint(path: str, names: Table) -> str:
    """Returns what to add to the message about a missing name: `; use ...`, or nothing for dunder names.

    Args:
        path: dotted, below the legacy package.
        names: the rows of the package.
    """
    if path.rpartition(".")[2].startswith("__"):
        return ""
    row = names.get(path)
    return f"; {row.instead if row and row.instead else f'see {MIGRATION_PAGE} of torch_ipex_device'}"
