"""torchvision imports, with or without its C++ operators, and its absence is reported with the remedy."""

from __future__ import annotations

import importlib.util

import pytest

from torch_ipex_device.testing.torchvision_support import import_torchvision


def test_absence_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps torchvision"):
        import_torchvision()


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed")
def test_models_are_usable() -> None:
    assert import_torchvision() is import_torchvision()
    assert len(list(import_torchvision().models.resnet18(weights=None).parameters())) == 62
