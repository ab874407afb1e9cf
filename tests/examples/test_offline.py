"""What examples/offline/run.py does to a program, and what it leaves alone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

RUN = Path(__file__).resolve().parents[2] / "examples" / "offline" / "run.py"


def run(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(program)
    command = [sys.executable, str(RUN), "--save", "variables.pt", str(script), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_looking_up_a_host_is_an_error(tmp_path: Path) -> None:
    done = run("import socket; socket.getaddrinfo('example.invalid', 80)", tmp_path)
    assert done.returncode == 1
    assert "[offline] example.invalid was asked for" in done.stderr


def test_arguments_reach_the_script(tmp_path: Path) -> None:
    done = run("import sys; print(sys.argv[1:])", tmp_path, "--dtype", "bfloat16", "--save")
    assert done.stdout == "['--dtype', 'bfloat16', '--save']\n", done.stderr


def test_exit_code_is_that_of_the_script(tmp_path: Path) -> None:
    assert run("import sys; sys.exit(3)", tmp_path).returncode == 3


def test_other_random_tensors_keep_their_size_and_values(tmp_path: Path) -> None:
    done = run("import torch; a = torch.rand(2, 3); b = torch.randint(5, (4,)); c = torch.randint(1, 5, [2])", tmp_path)
    assert done.returncode == 0, done.stderr
    torch.manual_seed(0)
    expected = {"a": torch.rand(2, 3), "b": torch.randint(5, (4,)), "c": torch.randint(1, 5, [2])}
    actual = torch.load(tmp_path / "variables.pt", weights_only=True)
    assert actual.keys() == expected.keys()
    assert all(torch.equal(actual[name], expected[name]) for name in expected)


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="`make demo` installs torchvision")
def test_weights_are_the_same_in_every_run(tmp_path: Path) -> None:
    program = (
        "import torch, torchvision.models as models\n"
        "torch.manual_seed({})\n"
        "weight = models.resnet18(weights='DEFAULT').layer1[0].conv1.weight"
    )
    found = []
    for seed in (1, 2):
        done = run(program.format(seed), tmp_path)
        assert done.returncode == 0, done.stderr
        found.append(torch.load(tmp_path / "variables.pt", weights_only=True)["weight"])
    assert torch.equal(*found)
