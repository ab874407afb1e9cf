"""The models of the comparison run without PyTorch's CPU kernels, forward and backward."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import torch

from .test_models import NAMES, needs_torchvision

ALLOWED_ON_INTEGERS = ("aten::add_.Tensor",)
"""Batch norms count their batches. docs/device.md has the same list."""


@pytest.mark.parametrize("name", NAMES)
def test_runs_under_the_policy_error_and_agrees_with_cpu(models, name):
    needs_torchvision(name)
    model = models.MODELS[name].build().train()
    batch = models.MODELS[name].example(2)
    target = models.target_of(model(batch))

    def step():
        model.zero_grad()
        output = model(batch)
        models.loss(output, target).backward()
        return output.detach().cpu().double(), [p.grad.clone().cpu().double() for p in model.parameters()]

    model.double()
    batch = batch.double() if batch.is_floating_point() else batch
    expected = step()
    model.float().to("ipex")
    batch, target = (batch.float() if batch.is_floating_point() else batch).to("ipex"), target.to("ipex")
    torch.ipex.reset_fallback_stats()
    with torch.ipex.fallback_policy("error", allowed_on_integers=ALLOWED_ON_INTEGERS):
        actual = step()
    assert set(torch.ipex.fallback_stats()) <= {*ALLOWED_ON_INTEGERS}
    torch.testing.assert_close(actual[0], expected[0], rtol=1e-3, atol=1e-3)
    got, wanted = (torch.cat([g.flatten() for g in gradients]) for gradients in (actual[1], expected[1]))
    assert torch.nn.functional.cosine_similarity(got, wanted, dim=0) > 0.999


PRECISIONS = ["float32", "bfloat16", "mixed"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_second_forward_of_resnet50_is_53_convolutions_and_one_reorder(benchmarks, precision):
    """The reorder puts the input, which is NCHW, in channels-last order; weights were packed by the first forward."""
    needs_torchvision("resnet50")
    program = """
import sys
import torch
import torch_ipex_device as ipex
from models import MODELS
model = MODELS["resnet50"].build().to(ipex.DEVICE)
image = MODELS["resnet50"].example(1).to(ipex.DEVICE)
if sys.argv[1] == "bfloat16":
    model, image = model.bfloat16(), image.bfloat16()
if sys.argv[1] == "mixed":
    ipex.enable_auto_mixed_precision()
with torch.inference_mode():
    model(image)
    print("second forward", flush=True)
    model(image)
"""
    run = subprocess.run(
        [sys.executable, "-P", "-c", program, precision],  # -P: the installed package, not the source tree
        env={**os.environ, "ONEDNN_VERBOSE": "1", "PYTHONPATH": str(benchmarks)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [
        re.search(r",exec,cpu,(\w+),", line)
        for line in run.stdout.partition("second forward")[2].splitlines()
        if ",exec,cpu," in line
    ]
    primitives = [match[1] for match in lines if match]
    assert primitives.count("convolution") == 53
    assert primitives.count("reorder") <= 1
    assert primitives.index("reorder") == 0 if "reorder" in primitives else True
    assert {"batch_normalization", "eltwise", "binary", "sum"}.isdisjoint(primitives)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("name", "fused"), [("resnet50", 53), ("densenet121", 120), ("mobilenet_v3", 62)])
def test_convolutional_networks_normalise_and_activate_inside_of_primitives(benchmarks, name, fused, precision):
    """Batch norm, sums and activations after a convolution have no row of their own that ran anything."""
    needs_torchvision(name)
    program = """
import sys
import torch
import torch_ipex_device as ipex
from models import MODELS
model = MODELS[sys.argv[1]].build().to(ipex.DEVICE)
image = MODELS[sys.argv[1]].example(1).to(ipex.DEVICE)
if sys.argv[2] == "bfloat16":
    model, image = model.bfloat16(), image.bfloat16()
if sys.argv[2] == "mixed":
    ipex.enable_auto_mixed_precision()
with torch.inference_mode(), ipex.explain() as explanation:
    model(image)
for row in explanation.rows:
    print(row.operator, row.path.replace(" ", "_"), row.calls, row.implementations.count("convolution "), sep=" | ")
"""
    run = subprocess.run(
        [sys.executable, "-P", "-c", program, name, precision],
        env={**os.environ, "PYTHONPATH": str(benchmarks)},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split(" | ") for line in run.stdout.splitlines()]
    assert sum(int(calls) for _, _, calls, primitives in rows if int(primitives)) == fused
    apart = {operator for operator, path, *_ in rows if path == "native"}
    assert not apart & {
        "aten::native_batch_norm",
        "aten::relu",
        "aten::relu_",
        "aten::add_.Tensor",
        "aten::hardsigmoid",
    }
