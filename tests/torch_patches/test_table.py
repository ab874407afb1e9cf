"""The table of patches: every file is in it, says why it exists, and is applied once."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from torch.autograd import graph

from torch_ipex_device import torch_patches


def test_table_lists_every_module_in_order() -> None:
    modules = sorted(path.stem for path in Path(torch_patches.__file__).parent.glob("*.py") if path.stem != "__init__")
    assert list(torch_patches.PATCHES) == modules


@pytest.mark.parametrize("name", torch_patches.PATCHES)
def test_patch_says_why_it_exists_and_until_when(name: str) -> None:
    patch = importlib.import_module(f"torch_ipex_device.torch_patches.{name}")
    assert all(len(getattr(patch, text)) > 20 for text in ("WHY", "UPSTREAM", "REMOVE_WHEN"))
    assert (Path(__file__).parent / f"test_{name}.py").exists()


def test_second_apply_changes_nothing() -> None:
    before = graph._engine_run_backward, torch.Tensor.__dlpack__, torch.UntypedStorage.share_memory_
    torch_patches.apply()
    assert before == (graph._engine_run_backward, torch.Tensor.__dlpack__, torch.UntypedStorage.share_memory_)
