"""Starts programs with torchrun, two processes on this machine, away from the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

TIMEOUT_SECONDS = 300
PROGRAMS = Path(__file__).parent / "programs"
RUNNER = Path(__file__).with_name("runner.py")


def launch(program: Path, *arguments: str, processes: int = 2, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a program and returns exit status and output.

    Args:
        program: the file; one that lies in the tests is started from an empty folder.
        arguments: what the program gets in `sys.argv`.
        processes: number of ranks.
        environment: variables to set.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            [*command, str(RUNNER), str(program), *arguments],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )


def run_ranks(program: str, *arguments: str, processes: int = 2, **environment: str) -> str:
    """Returns what a program of `programs/` printed, stripped; a failing rank fails the test with its standard error."""
    done = launch(PROGRAMS / f"{program}.py", *arguments, processes=processes, **environment)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def run_source(source: str, folder: Path, processes: int = 2, **environment: str) -> str:
    """The same for a program given as text."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(source))
    done = launch(path, processes=processes, **environment)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()
