"""gelu and layer_norm: shapes, layouts, parameters."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F

from .cases import DEVICES, DTYPES, OPS, Case, check, numbers

SHAPES = [(5, 32), (0,), (), (2, 0, 3), (2, 3, 4, 5), (1000,), (3, 7, 129)]
NORMS = [
    ((5, 32), 1),
    ((5, 32), 2),
    ((0, 32), 1),
    ((2, 3, 4, 5), 2),
    ((3, 7), 1),
    ((1,), 1),
    ((2, 3, 768), 1),
    ((4, 0), 1),
]


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def layouts(tensor: torch.Tensor) -> list[torch.Tensor]:
    result = [tensor, tensor.mT.contiguous().mT if tensor.dim() > 1 else tensor]
    if tensor.dim() == 4:
        result.append(tensor.contiguous(memory_format=torch.channels_last))
    if tensor.dim() > 1 and tensor.shape[0]:
        result += [tensor[:1].expand(tensor.shape), torch.cat([tensor, tensor], -1)[..., tensor.shape[-1] :]]
    return result


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gelu(shape, dtype, device):
    for x, kind in itertools.product(layouts(numbers(*shape) * 3), ("none", "tanh")):
        check(Case(OPS.gelu, (x, kind), lambda x, kind: F.gelu(x, approximate=kind)), dtype, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("shape", "dims"), NORMS, ids=str)
def test_layer_norm(shape, dims, dtype, device):
    normalized = list(shape[-dims:])
    weight, bias = numbers(*normalized, seed=1), numbers(*normalized, seed=2)
    for x, w, b in itertools.product(layouts(numbers(*shape)), (weight, None), (bias, None)):
        check(Case(OPS.layer_norm, (x, normalized, w, b, 1e-3), F.layer_norm), dtype, device)


@pytest.mark.parametrize("device", DEVICES)
def test_parameters_in_float32_of_a_norm_in_bfloat16(device):
    x, w, b = numbers(5, 32).bfloat16(), numbers(32, seed=1), numbers(32, seed=2)
    result = OPS.layer_norm(x.to(device), [32], w.to(device), b.to(device), 1e-5)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.cpu(), F.layer_norm(x, [32], w, b, 1e-5))


def test_defaults():
    x = numbers(5, 32)
    torch.testing.assert_close(OPS.layer_norm(x, [32]), F.layer_norm(x, [32]))
    torch.testing.assert_close(OPS.gelu(x), F.gelu(x), rtol=1e-5, atol=1e-6)
