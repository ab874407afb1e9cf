"""The commands that README promises exist, and the set-up reads its lists of packages from one place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command, **options):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/troubleshooting.md", "docs/benchmarks.md", "benchmarks/README.md"]
)
def test_make_targets_named_in_the_page_exist(page):
    named = set(re.findall(r"`make (?:[A-Z]+=\S+ )*([a-z]+)", (ROOT / page).read_text()))
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()
    assert named - set(phony) == set()


def test_help_lists_every_target():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()
    text = run("make", "help").stdout
    assert [target for target in phony if f"make {target} " not in text] == []


def test_continuous_integration_runs_the_second_command():
    assert "make --no-print-directory test" in (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_missing_python_is_one_clear_sentence():
    done = run("bash", "tools/check_prerequisites.sh", "no-such-python")
    assert done.returncode == 1
    sentence = (
        "prerequisite missing: there is no 'no-such-python'; install Python 3.11 or later,"
        " or name one: make PYTHON=/path/to/python3.11 ..."
    )
    assert done.stderr.splitlines() == [sentence]


def test_missing_compiler_is_one_clear_sentence():
    environment = {**os.environ, "CXX": "no-such-compiler"}
    done = run(
        "bash", "tools/check_prerequisites.sh", getattr(sys, "_base_executable", sys.executable), env=environment
    )
    assert done.returncode == 1
    assert "there is no C++ compiler 'no-such-compiler'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("group", ["build", "run", "demo", "bench", "test", "lint"])
def test_requirement_group_is_not_empty(group):
    done = run(sys.executable, "tools/requirements.py", group)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()


def test_version_of_compat_follows_the_main_package():
    version = re.search(r'__version__ = "(.*)"', (ROOT / "torch_ipex_device" / "version.py").read_text()).group(1)
    compat = (ROOT / "compat" / "pyproject.toml").read_text()
    assert f'version = "{version}"' in compat
    assert f"torch-ipex-device=={version}" in compat
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
