"""Makes the Python environments of the peers: build/peers/NAME, one each, so that none changes another's PyTorch.

Usage: python benchmarks/setup_peers.py [NAME ...]
NAME is zentorch, openvino or onnxruntime (default: all). Packages and versions are the rows of peers/table.py. Every peer
gets the very build of PyTorch that runs this program, so that pip does not choose another one, with CUDA for instance.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from peers import ALTERNATIVES, Alternative
from peers.table import ENVIRONMENTS

INSTALLABLE = [name for name, alternative in ALTERNATIVES.items() if alternative.requirements]


def commands(alternative: Alternative, environments: Path) -> list[list[str]]:
    """Returns what makes an environment, one command after the other."""
    torch, torchvision = (f"{name}=={metadata.version(name)}" for name in ("torch", "torchvision"))
    pip = [str(alternative.python(environments)), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    return [
        [sys.executable, "-m", "venv", "--clear", str(environments / alternative.name)],
        [*pip, torch, *alternative.requirements, "numpy", "pillow"],
        # Its dependencies name a PyTorch build, and the wanted one has just been installed.
        [*pip, "--no-deps", torchvision],
    ]


def install(alternative: Alternative, environments: Path) -> str | None:
    """Makes one environment; returns why it failed, in one line, or None. A failed one is removed."""
    for command in commands(alternative, environments):
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            shutil.rmtree(environments / alternative.name, ignore_errors=True)
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
            return f"`{' '.join(command)}` failed: {lines[-1] if lines else f'status {done.returncode}'}"
    return None


def main() -> int:
    """Runs the program; returns the exit status."""
    parser = argparse.ArgumentParser(description="Installs peers to compare with, each in an environment of its own.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(INSTALLABLE)} (default: all)")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, metavar="DIR", help="where to make them")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in INSTALLABLE]
    if unknown:
        parser.error(f"there is no peer {unknown[0]!r} to install; there are {', '.join(INSTALLABLE)}")
    failed = False
    for name in options.names or INSTALLABLE:
        print(f"==> {name}: {', '.join(ALTERNATIVES[name].requirements)} (about 1 GB)", flush=True)
        reason = install(ALTERNATIVES[name], options.environments)
        if reason:
            print(f"{name}: {reason}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
