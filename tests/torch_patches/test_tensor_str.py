"""Printing inside of a block of INT8 is no part of the program."""

from __future__ import annotations

import torch

import torch_ipex_device as ipex
from device.programs import run_program
from torch_patches.without import run_without

PROGRAM = """
import torch, torch_ipex_device as ipex
layer, x = torch.nn.Linear(40, 40).to("ipex"), torch.ones(40, 40, device="ipex")
conf = ipex.AmpConf(torch.int8)
with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
    repr(layer(x))
print(*(entry.name for entry in conf.calibration.entries()))
"""


def test_broken_without_the_patch_right_with_it() -> None:
    assert run_without("tensor_str", PROGRAM).startswith("Linear Cat")
    assert run_program(PROGRAM) == "Linear"


def test_the_text_is_that_of_the_tensor() -> None:
    x = torch.arange(2000.0).view(40, 50)
    here = repr(x)
    with ipex.AutoMixPrecision(ipex.AmpConf(torch.int8), running_mode="calibration"):
        assert repr(x.to("ipex")) == here.replace("])", "], device='ipex:0')")
        assert ipex.get_auto_mix_precision() == torch.int8
