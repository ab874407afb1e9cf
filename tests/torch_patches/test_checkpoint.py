"""Reentrant checkpoints recompute in the mode of their forward."""

from __future__ import annotations

from device.programs import run_program
from torch_patches.without import run_without

PROGRAM = """
import warnings
import torch, torch_ipex_device as ipex
from torch.utils.checkpoint import checkpoint

warnings.simplefilter("ignore")

forms = []
def layer(x):
    y = torch.nn.functional.linear(x, torch.eye(4, device="ipex"))
    forms.append(ipex.physical_form(y).dtype)
    return y

x = torch.ones(2, 4, device="ipex", requires_grad=True)
with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16), "training"):
    low = checkpoint(layer, x, use_reentrant=True)
full = checkpoint(layer, x, use_reentrant=True)
low.sum().backward()
with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16), "training"):
    full.sum().backward()
print(*forms, ipex.get_auto_mix_precision())
"""


def test_other_precision_without_the_patch_the_same_with_it() -> None:
    assert run_without("checkpoint", PROGRAM) == "BFloat16 Float Float BFloat16 None"
    assert run_program(PROGRAM) == "BFloat16 Float BFloat16 Float None"
