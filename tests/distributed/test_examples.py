"""The examples of distributed training run under torchrun and learn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from distributed.launch import launch

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "distributed"


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_example_learns(example: str) -> None:
    done = launch(EXAMPLES / example)
    assert done.returncode == 0, done.stderr
    losses = [float(loss) for loss in re.findall(r"loss (\d+\.\d+)", done.stdout)]
    assert len(losses) >= 3 and losses[-1] < losses[0]
