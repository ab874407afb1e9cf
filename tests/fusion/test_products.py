"""What joins a product of matrices (mm, addmm, bmm, baddbmm, matmul), also through a view: values as in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import torch_ipex_device as ipex

from .nets import DEVICE, assert_close, convolution, exact, is_open, on_device
from .test_epilogues import IN_PLACE, UNARY, primitives

PRODUCTS = {
    "mm": (lambda a, b, c: a.mm(b), (128, 256), (256, 192), ()),
    "mm of a transpose": (lambda a, b, c: a.mm(b.t()), (128, 256), (192, 256), ()),
    "mm of a transposed input": (lambda a, b, c: a.t().mm(b), (256, 128), (256, 192), ()),
    "addmm": (lambda a, b, c: torch.addmm(c, a, b), (128, 256), (256, 192), (192,)),
    "addmm of a transpose": (lambda a, b, c: torch.addmm(c, a, b.t()), (64, 256), (192, 256), (192,)),
    "bmm": (lambda a, b, c: a.bmm(b), (6, 64, 64), (6, 64, 64), ()),
    "bmm of a transpose": (lambda a, b, c: a.bmm(b.transpose(1, 2)), (6, 64, 64), (6, 64, 64), ()),
    "baddbmm without": (lambda a, b, c: torch.baddbmm(c, a, b, beta=0), (6, 64, 64), (6, 64, 64), (1,)),
}


def operands(name: str) -> tuple:
    """Returns a product and its operands on the CPU."""
    torch.manual_seed(0)
    function, *shapes = PRODUCTS[name]
    return function, tuple(torch.randn(shape) * 0.1 for shape in shapes)


def on_ipex(tensors: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(tensor.to(DEVICE) for tensor in tensors)


# The second and third time the right-hand factor is packed.
@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("step", ["relu", "gelu", "mul number", "tanh_"])
def test_post_op(name, step):
    after = {**UNARY, **IN_PLACE}[step]
    product, values = operands(name)
    expected = after(product(*map(exact, values)))
    given = on_ipex(values)
    for _ in range(3):
        with ipex.explain() as explanation:
            y = after(product(*given))
            assert is_open(y)
            before = torch.ipex.fusion_stats()
            assert_close(y, expected)
        counted = torch.ipex.fusion_stats()
        assert (counted.fused - before.fused, counted.applied - before.applied) == (1, 0)
        assert len(primitives(explanation)) == 1


@pytest.mark.parametrize("name", PRODUCTS)
def test_sum_with_a_shortcut(name):
    product, values = operands(name)
    expected = product(*map(exact, values))
    shortcut = torch.randn(expected.shape)
    y = F.relu(product(*on_ipex(values)) + shortcut.to(DEVICE))
    assert is_open(y)
    assert_close(y, F.relu(expected + exact(shortcut)))


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("index", [0, 1])
def test_factors_written_before_the_values_are_read(name, index):
    product, values = operands(name)
    given = on_ipex(values)
    for _ in range(3):
        y = product(*given) * 2
        assert is_open(y)
        expected = product(*map(exact, given)) * 2
        given[index].add_(1)
        assert_close(y, expected)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 3e38])
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("name", ["mm", "bmm", "addmm"])
def test_hostile_values(name, index, value):
    product, values = operands(name)
    values[index].view(-1)[77] = value
    given = on_ipex(values)
    for step in ("relu", "clamp", "silu"):
        for _ in range(3):
            actual = UNARY[step](product(*given)).cpu()
            torch.ipex.set_eager_fusion(False)
            expected = UNARY[step](product(*given)).cpu()
            torch.ipex.set_eager_fusion(True)
            torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_attention_scores_through_views():
    torch.manual_seed(0)
    q, k = torch.randn(2, 4, 96, 32), torch.randn(2, 4, 96, 32)
    with ipex.explain() as explanation:
        scores = (q.to(DEVICE) @ k.to(DEVICE).transpose(2, 3)) * 0.125
        assert is_open(scores)
        assert scores.shape == (2, 4, 96, 96)
        assert_close(scores, exact(q) @ exact(k).transpose(2, 3) * 0.125)
    assert primitives(explanation) == ["bmm+mul"]


def test_a_view_joins_in_place():
    linear = nn.Linear(256, 192).requires_grad_(False)
    x = torch.randn(128, 256)
    y = on_device(linear)(x.to(DEVICE))
    y.view(4, 32, 192).relu_()
    assert is_open(y)
    assert_close(y, exact(linear)(exact(x)).relu())


def test_an_intermediate_stays_alive_behind_a_view():
    linear = nn.Linear(256, 192).requires_grad_(False)
    x = torch.randn(128, 256)
    y = on_device(linear)(x.to(DEVICE))
    z = F.gelu(y.view(4, 32, 192))
    last = torch.tanh(z.view(128, 4, 48))
    expected = exact(linear)(exact(x))
    assert_close(last, torch.tanh(F.gelu(expected)).view(128, 4, 48))
    assert_close(y, expected)
    assert_close(z, F.gelu(expected).view(4, 32, 192))


# The channels of the view are not the primitive's.
@pytest.mark.parametrize("features", [2, 16, 512])
def test_batch_norm_of_a_view(features):
    conv = convolution(16, 32)
    norm = nn.BatchNorm1d(features).eval().requires_grad_(False)
    torch.manual_seed(3)
    for values in (norm.running_mean, norm.weight, norm.bias):
        assert values is not None
        values.data.normal_()
    x = torch.randn(64, 16, 1, 1)
    y = on_device(norm)(F.relu(on_device(conv)(x.to(DEVICE)).flatten().view(-1, features)))
    assert_close(y, exact(norm)(F.relu(exact(conv)(exact(x)).flatten().view(-1, features))))


@pytest.mark.parametrize("part", [lambda y: y[:64], lambda y: y.t(), lambda y: y.view(64, 2, 192)[:, 1]])
def test_parts_and_other_orders_do_not_join(part):
    linear = nn.Linear(256, 192).requires_grad_(False)
    x = torch.randn(128, 256)
    y = on_device(linear)(x.to(DEVICE))
    assert_close(F.relu(part(y)), F.relu(part(exact(linear)(exact(x)))))
    assert_close(y, exact(linear)(exact(x)))
