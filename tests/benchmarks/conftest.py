"""The folder benchmarks/ on the import path, as when one of its programs runs."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return FOLDER


@pytest.fixture
def models(benchmarks):
    import models

    return models
