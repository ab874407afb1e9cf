"""The comparison of single operators runs."""

from __future__ import annotations

import subprocess
import sys


def test_measures_an_operator(benchmarks, tmp_path):
    file = tmp_path / "ops.jsonl"
    command = [sys.executable, "ops.py", "--repetitions", "1", "--all", "--json", str(file), "relu", "max_pool2d"]
    run = subprocess.run(command, cwd=benchmarks, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert "relu" in run.stdout
    assert file.read_text().count("max_pool2d") >= 4
