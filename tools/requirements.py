"""Prints one group of requirements of pyproject.toml, so that no list of packages exists twice.

Usage: python tools/requirements.py GROUP
GROUP is `build` (the build system), `run` (what the package needs) or the name of an extra (`demo`, `bench`, `test`, `lint`).
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def requirements(group: str) -> list[str]:
    """Returns the requirement strings of a group.

    Raises:
        KeyError: there is no such group.
    """
    configuration = tomllib.loads(PYPROJECT.read_text())
    groups: dict[str, list[str]] = {
        **configuration["project"]["optional-dependencies"],
        "build": configuration["build-system"]["requires"],
        "run": configuration["project"]["dependencies"],
    }
    return groups[group]


if __name__ == "__main__":
    print(*requirements(sys.argv[1]))
