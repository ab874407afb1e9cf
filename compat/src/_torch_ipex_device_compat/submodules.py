"""Import hook that makes `legacy_package.x.y` the very module `torch_ipex_device.x.y`, for modules that exist there.

Without it `import legacy_package.x` would fail, or load a second copy of every class. It looks at names under the legacy
packages only, and comes first in `sys.meta_path` because the path-based finder would load such a second copy.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

TARGET = "torch_ipex_device"


class _SameModule:
    """Loader that hands out the module of another name instead of executing a file."""

    def __init__(self, real: ModuleSpec) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return importlib.import_module(self._real.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._real  # the import system has just replaced it by the alias's

    def get_code(self, fullname: str) -> CodeType | None:
        """Returns the code of the real module: what `python -m legacy_package.x` runs."""
        get_code = getattr(self._real.loader, "get_code", None)
        return get_code(self._real.name) if get_code else None


class SubmoduleFinder:
    """Finds submodules of one legacy package in torch_ipex_device.

    Args:
        package: the legacy package.
        own: full names of the modules that the legacy package has itself.
    """

    def __init__(self, package: str, own: frozenset[str] = frozenset()) -> None:
        self._prefix = package + "."
        self._own = own

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the spec of the aliased module, or None when this name is not ours to find."""
        if not fullname.startswith(self._prefix) or fullname in self._own:
            return None
        real = importlib.util.find_spec(f"{TARGET}.{fullname.removeprefix(self._prefix)}")
        if real is None:
            return None
        spec = ModuleSpec(fullname, _SameModule(real), origin=real.origin)  # type: ignore[arg-type]
        spec.submodule_search_locations = real.submodule_search_locations
        return spec


def install(finder: SubmoduleFinder) -> None:
    """Puts the finder in front of the path-based one."""
    sys.meta_path.insert(0, finder)
