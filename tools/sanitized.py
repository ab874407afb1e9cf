"""Builds the package for sanitizers of GCC, in build/sanitize, and runs a command with it; `make sanitize` calls it.

Usage: python tools/sanitized.py {address,thread} COMMAND...
Needs what `make build` installs. The run-time library of a sanitizer has to be in a process before anything else, and Python
is not linked to it: it is preloaded, also in the programs that the command starts.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Sanitizer:
    """How to build for one and how to run it.

    Attributes:
        flags: for CMake's IPEX_SANITIZE.
        runtime: the file of its run-time library, to preload.
        options: by environment variable; those of the user come behind them and win.
        launcher: what starts the command.
    """

    flags: str
    runtime: str
    options: dict[str, str]
    launcher: tuple[str, ...] = ()


SANITIZERS = {
    "address": Sanitizer(
        "address;undefined",
        "libasan.so",
        {
            # Python keeps memory until the process ends; tests count device memory instead. A request too large for the
            # system is an error of ours (E201), not of the program.
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        },
    ),
    "thread": Sanitizer(
        "thread",
        "libtsan.so",
        {
            "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:die_after_fork=0:"  # children compute
            f"suppressions={ROOT / 'tools/thread_sanitizer.supp'}"
        },
        ("setarch", "--addr-no-randomize"),  # GCC 12's stops where the system places mappings at random in its shadow
    ),
}


def build(name: str) -> Path:
    """Compiles what changed and returns the folder that holds the package."""
    folder = ROOT / "build" / "sanitize" / name
    folder.mkdir(parents=True, exist_ok=True)
    site = folder / "site"
    settings = {
        "IPEX_BUILD_DIR": os.fspath(folder / "cmake"),
        "CMAKE_BUILD_TYPE": "RelWithDebInfo",
        "CMAKE_ARGS": f"'-DIPEX_SANITIZE={SANITIZERS[name].flags}'",
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]),
    }
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--upgrade"]
    for package in (ROOT, ROOT / "compat"):
        subprocess.run(
            [*pip, "--no-deps", "--no-build-isolation", "--target", os.fspath(site), os.fspath(package)],
            env={**os.environ, **settings},
            check=True,
        )
    return site


def environment(name: str, site: Path) -> dict[str, str]:
    """Returns the environment of a sanitized process: the package, the preloaded libraries, one OpenMP thread."""
    sanitizer = SANITIZERS[name]
    # The C++ library too: a sanitizer looks up the function that throws exceptions when the process starts.
    preloaded = [_path_of(sanitizer.runtime), _path_of("libstdc++.so")]
    result = {**os.environ, "LD_PRELOAD": ":".join(preloaded), "PYTHONMALLOC": "malloc", "OMP_NUM_THREADS": "1"}
    result["PYTHONPATH"] = os.pathsep.join(filter(None, [os.fspath(site), os.environ.get("PYTHONPATH")]))
    result["PATH"] = os.pathsep.join([os.fspath(_plain_compiler(site.parent)), os.environ.get("PATH", "")])
    for variable, value in sanitizer.options.items():
        result[variable] = ":".join(filter(None, [value, os.environ.get(variable)]))
    return result


def _plain_compiler(folder: Path) -> Path:
    """Returns a folder with a g++ without what is preloaded, which would slow it down: torch.compile starts it for hours."""
    found = shutil.which("g++")
    if found is None:
        sys.exit("g++ is not on PATH")
    program = folder / "bin" / "g++"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec env -u LD_PRELOAD {shlex.quote(found)} "$@"\n')
    program.chmod(0o755)
    return program.parent


def _path_of(name: str) -> str:
    path = subprocess.run(
        ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not os.path.isabs(path):
        sys.exit(f"g++ has no {name}; install the sanitizer libraries of this version of GCC")
    return os.path.realpath(path)


def main() -> None:
    """Replaces this process by the command."""
    if len(sys.argv) < 3 or sys.argv[1] not in SANITIZERS:
        sys.exit(__doc__)
    name, *command = sys.argv[1:]
    command = [*SANITIZERS[name].launcher, *command]
    os.execvpe(command[0], command, environment(name, build(name)))


if __name__ == "__main__":
    main()
