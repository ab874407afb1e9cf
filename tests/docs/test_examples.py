"""The code that pages show runs, and so do the examples and the demo."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "docs/amp.md",
    "docs/compile.md",
    "docs/custom_ops.md",
    "docs/distributed.md",
    "docs/int8.md",
    "docs/optimize.md",
    "docs/optimizers.md",
    "docs/profiler.md",
)
BLOCKS = [block for page in PAGES for block in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py") if path.name != "demo.py")


def run(*arguments, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IPEX_")}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_code_of_pages_runs(block, tmp_path):
    done = run("-c", block, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_pages_have_code():
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(example, tmp_path):
    done = run(str(ROOT / "examples" / example), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.fixture
def demo():
    for package in ("torchvision", "rich"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; `make demo` installs it")
    return str(ROOT / "examples" / "demo.py")


def test_demo_agrees_and_writes_results(demo, tmp_path):
    done = run(demo, "--iterations", "1", "--json", "results.json", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert [row["model"] for row in results] == ["ResNet-50", "BERT-base encoder"]
    assert all(row["agrees"] and row["native_calls"] + row["fallback_calls"] > 0 for row in results)


def test_demo_fails_when_results_do_not_agree(demo, tmp_path):
    source = (
        f"import runpy, sys; sys.argv = ['demo.py', '--iterations', '1']; demo = runpy.run_path({demo!r}); g = demo['main'].__globals__\n"
        "g['compare'] = lambda actual, expected: (1.0, 0.9, 20.0)\n"
        "g['MODELS'] = {'tiny': lambda batch: (g['nn'].Linear(2, 2), g['torch'].ones(batch, 2))}\n"
        "sys.exit(demo['main']())"
    )
    done = run("-c", source, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "results do not agree" in done.stdout


@pytest.mark.parametrize("option", ["--batch", "--iterations"])
def test_demo_refuses_zero(demo, option, tmp_path):
    done = run(demo, option, "0", folder=tmp_path)
    assert done.returncode == 2
    assert "must be at least 1" in done.stderr
