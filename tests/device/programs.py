"""Runs a program in a Python process of its own, away from the source tree, and returns what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

TIMEOUT_SECONDS = 120


def run_program(source: str, **environment: str) -> str:
    """Returns the standard output, stripped; a failing program fails the test with its standard error.

    The program is a file, because processes that it spawns import their main module.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "program.py")
        path.write_text(textwrap.dedent(source))
        finished = subprocess.run(
            [sys.executable, path],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    assert finished.returncode == 0, f"exit status {finished.returncode}\n{finished.stderr}"
    return finished.stdout.strip()
