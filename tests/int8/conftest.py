"""What every test of INT8 has to leave behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from torch.nn.modules import module as module_hooks

import torch_ipex_device as ipex


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """After every test no mode and no hook is left."""
    yield
    assert ipex.get_auto_mix_precision() is None
    assert not module_hooks._global_forward_hooks and not module_hooks._global_forward_pre_hooks
