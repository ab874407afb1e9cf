"""nn.DataParallel passes calls through, for CPU and ipex models, as on a machine without an accelerator."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from device.programs import run_program
from torch_patches.without import run_without

PROGRAM = """
import torch, torch_ipex_device
from torch import nn
try:
    model = nn.DataParallel(nn.Linear(2, 2))
    print(model(torch.ones(4, 2)).device)
except AttributeError as error:
    print(error)
"""


def test_broken_without_the_patch_right_with_it() -> None:
    assert "_scatter" in run_without("data_parallel", PROGRAM)
    assert run_program(PROGRAM) == "cpu"


@pytest.mark.parametrize("device", ["cpu", "ipex"])
@pytest.mark.parametrize("options", [{}, {"device_ids": [0]}, {"device_ids": ["ipex:0"], "output_device": 0}], ids=str)
def test_forward_and_backward_pass_through(device: str, options: dict[str, object]) -> None:
    inner = nn.Linear(2, 2).to(device)
    model = nn.DataParallel(inner, **options)
    x = torch.randn(4, 2, device=device)
    assert model.device_ids == []
    assert torch.equal(model(x), inner(x))
    model(x).sum().backward()
    assert inner.weight.grad is not None
    assert inner.weight.device.type == device
    assert list(model.state_dict()) == ["module.weight", "module.bias"]
