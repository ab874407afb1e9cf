"""Attribute look-up of the legacy packages: forward to torch_ipex_device, else an error that names the replacement."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

import torch_ipex_device

MIGRATION_PAGE = "docs/migration.md"


def provides(name: str) -> bool:
    """Returns whether torch_ipex_device offers `name`, as an attribute or as a submodule."""
    if name.startswith("_"):
        return False
    return hasattr(torch_ipex_device, name) or importlib.util.find_spec(f"torch_ipex_device.{name}") is not None


def attribute(package: str, name: str, replacements: Mapping[str, str]) -> Any:
    """Returns what `package.name` means today.

    Args:
        package: the legacy package, for the message.
        name: the attribute.
        replacements: what to use instead, for names that torch_ipex_device does not have.

    Raises:
        AttributeError: torch_ipex_device has no such name; the text says what to use instead, or where to look.
    """
    if provides(name):
        if not hasattr(torch_ipex_device, name):
            importlib.import_module(f"torch_ipex_device.{name}")
        return getattr(torch_ipex_device, name)
    text = f"module {package!r} has no attribute {name!r}"
    if not name.startswith("__"):
        text += f"; {replacements.get(name, f'see {MIGRATION_PAGE} of torch_ipex_device')}"
    raise AttributeError(text)
