"""scaled_dot_product_attention: shapes, masks, scale, dropout, how the result lies."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from .cases import DEVICES, DTYPES, OPS, Case, check, numbers

# batch, heads, length of the query, length of the keys, width, width of the values
ROWS = {
    "self": (2, 3, 16, 16, 8, 8),
    "typical": (1, 4, 64, 64, 64, 64),
    "cross": (2, 3, 5, 17, 16, 16),
    "width of values": (2, 3, 5, 7, 16, 9),
    "one query": (2, 4, 1, 33, 16, 16),
    "one head": (2, 1, 9, 9, 16, 16),
    "empty batch": (0, 3, 4, 4, 8, 8),
    "no queries": (2, 3, 0, 4, 8, 8),
    "no keys": (2, 3, 4, 0, 8, 8),
    "no heads": (2, 0, 4, 4, 8, 8),
}


def stock(query, key, value, mask, causal, scale):
    return F.scaled_dot_product_attention(query, key, value, mask, 0.0, causal, scale=scale)


def ours(query, key, value, mask, causal, scale):
    return OPS.scaled_dot_product_attention(query, key, value, mask, 0.0, causal, scale=scale)


def operands(name: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    batch, heads, queries, keys, width, values = ROWS[name]
    sizes = [(batch, heads, queries, width), (batch, heads, keys, width), (batch, heads, keys, values)]
    query, key, value = (numbers(*size, seed=i) for i, size in enumerate(sizes))
    return query, key, value


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ROWS)
def test_kinds(name, dtype, device):
    query, key, value = operands(name)
    queries, keys = query.shape[2], key.shape[2]
    check(Case(ours, (query, key, value, None, True, 0.3), stock), dtype, device)
    masks = [
        None,
        numbers(query.shape[0], 1, queries, keys, seed=4),
        torch.ones(queries, keys, dtype=torch.bool).tril(1),
    ]
    for mask in masks:
        check(Case(ours, (query, key, value, mask, False, None), stock), dtype, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["self", "typical", "cross", "one query"])
def test_heads_beside_each_other(name, device):
    """As a layer makes them of one product: [N, L, H, E] in memory."""
    arguments = [t.transpose(1, 2).contiguous().transpose(1, 2) for t in operands(name)]
    check(Case(ours, (*arguments, None, False, None), stock), torch.float32, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dims", [2, 3, 5])
def test_other_numbers_of_dimensions(dims, device):
    arguments = [t[0, 0] if dims == 2 else t[0] if dims == 3 else t.unsqueeze(0) for t in operands("cross")]
    check(Case(ours, (*arguments, None, False, None), stock), torch.float32, device)


def test_a_row_that_is_masked_away():
    query, key, value = operands("self")
    mask = torch.ones(16, 16, dtype=torch.bool)
    mask[3] = False
    check(Case(ours, (query, key, value, mask, False, None), stock), torch.float32, "cpu")


def test_dropout_draws_the_numbers_of_the_stock_operator():
    query, key, value = operands("self")
    torch.manual_seed(3)
    expected = F.scaled_dot_product_attention(query, key, value, None, 0.5)
    torch.manual_seed(3)
    torch.testing.assert_close(OPS.scaled_dot_product_attention(query, key, value, None, 0.5), expected)


@pytest.mark.parametrize("name", ["self", "typical", "cross", "one head"])
def test_heads_of_the_result_lie_beside_each_other(name):
    query, key, value = operands(name)
    with torch.enable_grad():
        with_gradients = OPS.scaled_dot_product_attention(query.requires_grad_(), key, value)
    for result in (OPS.scaled_dot_product_attention(query, key, value), with_gradients):
        assert result.transpose(1, 2).is_contiguous()
