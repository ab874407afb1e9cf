"""Every operator on every device and dtype gives what stock PyTorch gives in float64, each time the same bits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from .cases import CASES, DEVICES, DTYPES, OPS, Case, check, converted, flat


def transposed(tensor: Tensor) -> Tensor:
    """The same values, in the opposite order of memory."""
    back = tuple(reversed(range(tensor.dim())))
    return tensor.permute(back).contiguous().permute(back)


def sliced(tensor: Tensor) -> Tensor:
    """The same values in the middle of a larger tensor."""
    if tensor.dim() == 0:
        return tensor
    larger = torch.full([size + 3 for size in tensor.shape], float("nan"), dtype=tensor.dtype)
    part = larger[tuple(slice(1, 1 + size) for size in tensor.shape)]
    return part.copy_(tensor)


def expanded(tensor: Tensor) -> Tensor:
    """The first row in place of every row, with stride 0."""
    return tensor[:1].expand(tensor.shape) if tensor.dim() > 1 else tensor


def half(tensor: Tensor) -> Tensor:
    """The same values with steps of two along the last dimension."""
    return torch.stack([tensor, torch.full_like(tensor, float("nan"))], -1).flatten(-2)[..., ::2]


LAYOUTS = {"expanded": expanded, "sliced": sliced, "steps of two": half, "transposed": transposed}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_without_gradients(name, dtype, device):
    with torch.no_grad():
        check(CASES[name], dtype, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_layouts(name, layout, device):
    arguments = pytree.tree_map_only(Tensor, LAYOUTS[layout], CASES[name].arguments)
    case = Case(CASES[name].operator, arguments, CASES[name].reference)
    with torch.no_grad():
        check(case, torch.float32, device)


@pytest.mark.parametrize("name", CASES)
def test_inference_mode(name):
    with torch.inference_mode():
        check(CASES[name], torch.float32, "cpu")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "name", [name for name in CASES if name.startswith(("linear", "convolution,", "gelu", "layer"))]
)
def test_hostile_values(name, value):
    case, hostile = CASES[name], CASES[name].arguments[0].clone()
    hostile.view(-1)[3] = value
    with torch.no_grad():
        check(Case(case.operator, (hostile, *case.arguments[1:]), case.reference), torch.float32, "cpu")


def test_nan_comes_through_attention():
    """Stock PyTorch on CPU answers a row of zeros."""
    query, key, value = CASES["scaled_dot_product_attention"].arguments
    query = query.clone()
    query[1, 2, 3, 4] = float("nan")
    with torch.no_grad():
        row = OPS.scaled_dot_product_attention(query, key, value).isnan().all(-1)
    assert row.nonzero().tolist() == [[1, 2, 3]]


def test_weights_in_float32_beside_inputs_in_less():
    """Under autocast it is so: the weight is rounded as if it were converted."""
    for name in ("linear", "convolution", "lstm"):
        case = CASES[name]
        low = converted(case.arguments, torch.bfloat16)
        high = converted(low, torch.float32)
        mixed = (low[0], *high[1:]) if name != "lstm" else (low[0], low[1], *high[2:])
        with torch.no_grad():
            for _ in range(3):
                for a, e in zip(flat(case.operator(*mixed)), flat(case.operator(*low)), strict=True):
                    assert a.dtype == torch.bfloat16
                    torch.testing.assert_close(a, e, rtol=1e-2, atol=1e-2)
