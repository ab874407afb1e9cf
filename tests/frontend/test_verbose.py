"""ipex.verbose: oneDNN's log is on inside of the block and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest
import torch

from torch_ipex_device.frontend.verbose import VERBOSE_OFF, VERBOSE_ON, VERBOSE_ON_CREATION, verbose

PROGRAM = """
import torch, torch_ipex_device
from torch_ipex_device.frontend.verbose import verbose

def say(text):
    print(text, flush=True)

def convolve(device="ipex"):
    with torch.no_grad():
        return torch.conv2d(image.to(device), kernel.to(device))

image, kernel = torch.randn(8, 16, 32, 32), torch.randn(32, 16, 3, 3)

say("before")
convolve().cpu()
say("on ipex")
with verbose(verbose.VERBOSE_ON):
    convolve().cpu()
    say("on CPU")
    convolve("cpu")
say("after")
convolve().cpu(); convolve("cpu")

with verbose(verbose.VERBOSE_ON):
    say("outer")
    convolve().cpu()
    with verbose(verbose.VERBOSE_OFF):
        say("silent inner")
        convolve().cpu()
    say("outer again")
    convolve().cpu()
    try:
        with verbose(verbose.VERBOSE_OFF):
            raise KeyError
    except KeyError:
        say("outer after the exception")
        convolve().cpu()
say("after nesting")
convolve().cpu()

say("left open inside")
with verbose(verbose.VERBOSE_ON):
    y = convolve()
say("read outside")
y.cpu()
y = convolve()
say("left open outside")
with verbose(verbose.VERBOSE_ON):
    pass
y.cpu()

logged = verbose(verbose.VERBOSE_ON)(lambda: convolve().cpu())
for name in ("first call", "second call"):
    say(name)
    logged()
say("undecorated")
convolve().cpu()

kernel = torch.randn(24, 16, 3, 3)
say("creation")
with verbose(verbose.VERBOSE_ON_CREATION):
    convolve().cpu()

weight, x = torch.randn(512, 512, device="ipex"), torch.randn(64, 512, device="ipex")
say("loops")
with torch.no_grad(), verbose(verbose.VERBOSE_ON):
    for _ in range(3):
        torch.nn.functional.linear(x, weight).cpu()
say("after loops")
with torch.no_grad():
    torch.nn.functional.linear(x, weight).cpu()
"""


def run(**environment: str) -> dict[str, list[str]]:
    """Runs the program and returns the log by section; a section begins with a line that is none of the log."""
    clean = {name: value for name, value in os.environ.items() if name not in ("ONEDNN_VERBOSE", "DNNL_VERBOSE")}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, cwd=tempfile.gettempdir(), env=clean | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in done.stdout.splitlines():
        if line.startswith("onednn_verbose"):
            current.append(line)
        else:
            current = found.setdefault(line, [])
    return found


@pytest.fixture(scope="module")
def log() -> dict[str, list[str]]:
    return run()


def convolutions(lines: list[str]) -> int:
    return sum(",exec,cpu,convolution," in line for line in lines)


def test_ours_and_pytorchs_onednn_log_inside_of_the_block_only(log: dict[str, list[str]]) -> None:
    assert log["before"] == log["after"] == []
    assert convolutions(log["on ipex"]) == convolutions(log["on CPU"]) == 1
    versions = [line for lines in log.values() for line in lines if ",info,oneDNN v" in line]
    assert len(versions) == len(set(versions)) == 2  # each copy introduces itself once


def test_blocks_nest_and_end_with_exceptions(log: dict[str, list[str]]) -> None:
    assert log["silent inner"] == log["after nesting"] == []
    for section in ("outer", "outer again", "outer after the exception"):
        assert convolutions(log[section]) == 1


def test_operators_belong_to_the_block_that_called_them(log: dict[str, list[str]]) -> None:
    assert convolutions(log["left open inside"]) == 1
    assert log["read outside"] == []
    assert convolutions(log["left open outside"]) == 0


def test_decorated_function_logs_at_every_call(log: dict[str, list[str]]) -> None:
    assert convolutions(log["first call"]) == convolutions(log["second call"]) == 1
    assert log["undecorated"] == []


def test_creation_is_logged_on_demand(log: dict[str, list[str]]) -> None:
    assert any(",create" in line and ",convolution," in line for line in log["creation"])
    assert not any(",create" in line for line in log["outer"])


def test_loops_of_our_own_log_too(log: dict[str, list[str]]) -> None:
    assert any(",ipex" in line for line in log["loops"])
    assert log["after loops"] == []


def test_level_of_the_environment_comes_back() -> None:
    log = run(ONEDNN_VERBOSE="1")
    assert log["silent inner"] == []
    for section in ("before", "after", "after nesting"):
        assert convolutions(log[section]) >= 1


def test_constants_are_those_of_pytorch() -> None:
    theirs = torch.backends.mkldnn
    assert (VERBOSE_OFF, VERBOSE_ON, VERBOSE_ON_CREATION) == (
        theirs.VERBOSE_OFF,
        theirs.VERBOSE_ON,
        theirs.VERBOSE_ON_CREATION,
    )
    assert (verbose.VERBOSE_OFF, verbose.VERBOSE_ON, verbose.VERBOSE_ON_CREATION) == (0, 1, 2)


@pytest.mark.parametrize("level", [3, -1])
def test_other_levels_are_refused(level: int) -> None:
    with pytest.raises(ValueError, match=r"\[verbose\] E103 got level=.*; accepted: VERBOSE_OFF \(0\)"):
        verbose(level)


@pytest.mark.parametrize("level", ["on", None, True, 1.0])
def test_levels_are_integers(level: object) -> None:
    with pytest.raises(TypeError, match=r"\[verbose\] E101 got .* as level"):
        verbose(level)  # type: ignore[arg-type]
