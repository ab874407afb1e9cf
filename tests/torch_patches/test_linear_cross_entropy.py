"""linear_cross_entropy with automatic options accumulates on ipex as it does on CPU."""

from __future__ import annotations

from device.programs import run_program
from torch_patches.without import run_without

PROGRAM = """
import torch, torch_ipex_device
torch.manual_seed(0)
loss = torch.nn.functional.linear_cross_entropy
options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=2)
x, weight, target = 4 * torch.randn(8, 8).bfloat16(), torch.randn(8, 8).bfloat16(), torch.arange(8)
expected = loss(x, weight, target, reduction="none", options=options)
actual = loss(x.to("ipex"), weight.to("ipex"), target.to("ipex"), reduction="none", options=options)
print(torch.equal(actual.cpu(), expected))
"""


def test_rounds_otherwise_without_the_patch_and_alike_with_it() -> None:
    assert run_without("linear_cross_entropy", PROGRAM) == "False"
    assert run_program(PROGRAM) == "True"
