"""Gives programs with several processes more time: each of them imports PyTorch, and they share the cores."""

from __future__ import annotations

import pytest

from device import programs


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "TIMEOUT_SECONDS", 900)
