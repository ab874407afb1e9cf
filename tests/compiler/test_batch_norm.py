"""Batch norm that no convolution takes along: two numbers per channel, computed once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn

import torch_ipex_device as ipex
from torch_ipex_device.compiler.batch_norm import factor

TOLERANCES = {torch.float64: 1e-14, torch.float32: 2e-6, torch.bfloat16: 2e-2}


def norm(dtype: torch.dtype, channels: int, affine: bool, dims: int) -> nn.Module:
    module = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[dims](channels, affine=affine)
    with torch.no_grad():
        for value in (*module.parameters(), module.running_mean, module.running_var):
            value.uniform_(0.5, 2)
    return module.to(dtype).eval()


@pytest.mark.parametrize("device", ["cpu", ipex.DEVICE])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("dims", "affine"), [(2, True), (3, False), (4, True), (5, True)])
def test_results_are_those_of_float64(device: str, dtype: torch.dtype, dims: int, affine: bool) -> None:
    module = norm(dtype, 19, affine, dims)
    x = torch.randn(3, 19, *(5, 4, 3)[: dims - 2]).to(dtype)
    expected = module.double()(x.double()).relu()
    module = module.to(dtype).to(device)
    backend = "ipex" if device == "cpu" else "inductor"
    with torch.no_grad():
        found = torch.compile(lambda value: module(value).relu(), backend=backend)(x.to(device))
    assert found.dtype == dtype and found.shape == x.shape and found.device.type == torch.device(device).type
    assert (found.cpu().double() - expected).abs().max() <= TOLERANCES[dtype] * expected.abs().max()


def test_new_statistics_are_seen_at_the_next_call() -> None:
    module = norm(torch.float32, 8, True, 4).to(ipex.DEVICE)
    x = torch.randn(2, 8, 6, 6, device=ipex.DEVICE)
    compiled = torch.compile(module)
    with torch.no_grad():
        compiled(x)
        module.running_var.mul_(4)
        module.bias.add_(1)
        torch.testing.assert_close(compiled(x), module(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_only_known_statistics_are_factored(training: bool) -> None:
    graph = fx.Graph()
    names = ("x", "mean", "var")
    x, mean, var = (graph.placeholder(name) for name in names)
    for node, shape in ((x, (2, 3, 4, 4)), (mean, (3,)), (var, (3,))):
        node.meta["example_value"] = torch.empty(shape)
    graph.output(graph.call_function(F.batch_norm, (x, mean, var), {"training": training}))
    factor(graph)
    graph.lint()
    assert bool(graph.find_nodes(op="call_function", target=F.batch_norm)) == training


def test_generated_code_is_that_of_cpu_kernels() -> None:
    from torch._inductor import ir

    from torch_ipex_device.compiler import codegen

    codegen.register()
    assert ir.is_cpu(torch.device("ipex")) and ir.is_cpu(torch.device("cpu")) and not ir.is_cpu(torch.device("cuda"))
