"""Eager fusion is on in these tests, whatever the environment says, and afterwards as before."""

import pytest
import torch


@pytest.fixture(autouse=True)
def eager_fusion():
    before = torch.ipex.eager_fusion()
    torch.ipex.set_eager_fusion(True)
    with torch.no_grad():
        yield
    torch.ipex.set_eager_fusion(before)
