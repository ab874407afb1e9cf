"""A fresh environment with the built wheel and what it requires; made once for all tests of this folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

WHEELS = "TORCH_IPEX_DEVICE_WHEELS"


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and how to run things in it with no other program on PATH."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def variables(self, **extra: str) -> dict[str, str]:
        """Returns the environment of a child: no compiler, no CMake, no settings of ours, outside the source folder."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("IPEX_", "PYTHON", "VIRTUAL_ENV", "CMAKE", "CXX", "LD_"))
        }
        return {**kept, "PATH": str(self.folder / "bin"), **extra}

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, *arguments],
            env=self.variables(**extra),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def code(self, source: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return self.run("-c", source, **extra)


@pytest.fixture(scope="session")
def wheels() -> Path:
    folder = os.environ.get(WHEELS)
    if folder is None:
        pytest.skip(f"{WHEELS} does not name a folder with the wheels; `make test` builds them and sets it")
    return Path(folder)


@pytest.fixture(scope="session")
def wheel(wheels: Path) -> Path:
    (found,) = wheels.glob("torch_ipex_device-*.whl")
    return found


@pytest.fixture(scope="session")
def fresh(wheels: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    environment = Environment(folder)
    (compat,) = wheels.glob("torch_ipex_device_compat-*.whl")
    done = environment.run("-m", "pip", "install", "--quiet", str(wheel), str(compat))
    assert done.returncode == 0, done.stderr
    yield environment
    shutil.rmtree(folder)  # a gigabyte
