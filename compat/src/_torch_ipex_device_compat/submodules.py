"""Import hook of the legacy packages: `legacy_package.x.y` is `torch_ipex_device.x.y`, or an error that says what to use.

Without it `import legacy_package.x` would fail, or load a second copy of every class. It looks at names under the legacy
packages only, and comes first in `sys.meta_path` because the path-based finder would load such a second copy.

A module that has all the names of its archived twin is handed out itself. For one that lacks some, a module that forwards to
it stands in, so that looking for those names says what to use instead.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

from .forward import TARGET, attribute, find, hint, is_module, provides
from .names import Table


class _Forwarder(ModuleType):
    """Has what a module of torch_ipex_device has, and hints for what it has not."""

    def __init__(self, package: str, path: str, real: ModuleType, names: Table) -> None:
        super().__init__(f"{package}.{path}", real.__doc__)
        self._forward = package, path, real, names

    def __getattr__(self, name: str) -> Any:
        package, path, real, names = self._forward
        if name.startswith("__") and hasattr(real, name):
            return getattr(real, name)
        return attribute(package, path, name, names)

    def __dir__(self) -> Iterable[str]:
        return dir(self._forward[2])


class _Loader:
    """Hands out the module of another name, or a forwarder to it, instead of executing a file."""

    def __init__(self, real: ModuleSpec, package: str, path: str, names: Table, forwards: bool) -> None:
        self._real = real
        self._arguments = package, path
        self._names = names
        self._forwards = forwards

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        real = importlib.import_module(self._real.name)
        return _Forwarder(*self._arguments, real, self._names) if self._forwards else real

    def exec_module(self, module: ModuleType) -> None:
        if not self._forwards:
            module.__spec__ = self._real  # the import system has just replaced it by the alias's

    def get_code(self, fullname: str) -> CodeType | None:
        """Returns the code of the real module: what `python -m legacy_package.x` runs."""
        get_code = getattr(self._real.loader, "get_code", None)
        return get_code(self._real.name) if get_code else None


class SubmoduleFinder:
    """Finds submodules of one legacy package in torch_ipex_device.

    Args:
        package: the legacy package.
        names: its rows.
        own: full names of the modules that the legacy package has itself.
    """

    def __init__(self, package: str, names: Table, own: frozenset[str] = frozenset()) -> None:
        self._package = package
        self._names = names
        self._own = own

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the spec of the aliased module, or None when this name is not ours to find.

        Raises:
            ModuleNotFoundError: torch_ipex_device has no such module, and a row says what to use instead; or it is a
                function or class.
        """
        prefix, dot, below = fullname.partition(f"{self._package}.")
        if prefix or not dot or fullname in self._own:
            return None
        row = self._names.get(below)
        path_of_real = row.path if row else below
        if not is_module(path_of_real):
            if row is not None and not provides(row):
                # Without `name`, or `from package import x` would swallow the text.
                raise ModuleNotFoundError(f"no module or name {fullname!r}{hint(below, self._names)}")
            return None
        parent, _, name = below.rpartition(".")
        if parent and not isinstance(find(path_of_real)[1], ModuleType):
            # The import system would put the file of that name in the place of the function.
            raise ModuleNotFoundError(f"{fullname!r} is no module; use `from {self._package}.{parent} import {name}`")
        real = importlib.util.find_spec(f"{TARGET}.{path_of_real}")
        assert real is not None
        loader = _Loader(real, self._package, below, self._names, self._lacks_names(below))
        spec = ModuleSpec(fullname, loader, origin=real.origin)  # type: ignore[arg-type]
        spec.submodule_search_locations = real.submodule_search_locations
        return spec

    def _lacks_names(self, module: str) -> bool:
        """Whether an archived name right below a module is not there, or a module below it has a forwarder."""
        return any(
            not provides(row) or row.here or (name != module and is_module(name) and self._lacks_names(name))
            for name, row in self._names.items()
            if name.rpartition(".")[0] == module
        )


def install(finder: SubmoduleFinder) -> None:
    """Puts the finder in front of the path-based one."""
    sys.meta_path.insert(0, finder)
