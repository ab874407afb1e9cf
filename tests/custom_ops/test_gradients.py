"""Gradients are those of stock PyTorch, to second order, and train a model."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.utils import _pytree as pytree
from torch.utils.checkpoint import checkpoint

from .cases import CASES, DEVICES, OPS, POST_OPS, convolution, flat, numbers, stock_convolution, stock_linear

SMOOTH = ("", "elu", "gelu", "gelu_tanh", "mish", "sigmoid", "silu", "tanh")


def leaves(*sizes: tuple[int, ...], device: str = "cpu") -> list[Tensor]:
    """Returns tensors with gradients in float64."""
    return [numbers(*size, seed=i, dtype=torch.float64).to(device).requires_grad_() for i, size in enumerate(sizes)]


@pytest.mark.parametrize("post_op", POST_OPS)
def test_linear(post_op):
    operands = leaves((3, 5), (4, 5), (4,), (3, 4))

    def call(*operands: Tensor) -> Tensor:
        return OPS.linear(*operands, post_op)

    gradcheck(call, operands)
    if post_op in SMOOTH:
        gradgradcheck(call, operands)


@pytest.mark.parametrize("shape", [(5,), (2, 3, 5), (1, 5), (0, 5)], ids=str)
@pytest.mark.parametrize("device", DEVICES)
def test_linear_of_shapes(shape, device):
    operands = leaves(shape, (4, 5), (4,), device=device)
    results = [
        torch.autograd.grad(function(*operands).square().sum(), operands) for function in (OPS.linear, stock_linear)
    ]
    for ours, stock in zip(*results, strict=True):
        torch.testing.assert_close(ours, stock)


def test_linear_with_a_weight_of_one_row():
    gradcheck(OPS.linear, leaves((3, 5), (5,)))


@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolution(rank, transposed, groups, batch):
    x, w, b = leaves((*([] if batch is None else [batch]), 4, *[4] * rank), (4, 4 // groups, *[2] * rank), (4,))

    def call(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return convolution(x, w, b, 2, 1, 1, transposed, groups)

    gradcheck(call, (x, w, b), fast_mode=True)
    gradgradcheck(call, (x, w, b), fast_mode=True)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("bias", [False, True])
def test_convolution_with_everything(bias, device):
    x, w, b, other, weight, shift = leaves((2, 3, 4, 4), (4, 3, 2, 2), (4,), (4, 1, 1), (4,), (4,), device=device)
    statistics = [t.detach().abs() + 0.5 for t in leaves((4,), (4,), device=device)]

    def call(function, x, w, b, other, weight, shift):
        norm = dict(zip(("norm_mean", "norm_var"), statistics, strict=True))
        extra = {**norm, "norm_weight": weight, "norm_bias": shift, "norm_eps": 1e-5}
        return function(x, w, b if bias else None, other=other, post_op="tanh", **extra)

    operands = (x, w, b, other, weight, shift)
    if device == "cpu":
        gradcheck(lambda *o: call(convolution, *o), operands)
        gradgradcheck(lambda *o: call(convolution, *o), operands, fast_mode=True)
    used = operands if bias else (x, w, other, weight, shift)
    results = [
        torch.autograd.grad(call(function, *operands).square().sum(), used)
        for function in (convolution, stock_convolution)
    ]
    for ours, stock in zip(*results, strict=True):
        torch.testing.assert_close(ours, stock)


@pytest.mark.parametrize("name", ["gelu", "layer_norm", "lstm", "scaled_dot_product_attention, masked"])
@pytest.mark.parametrize("device", DEVICES)
def test_other_operators(name, device):
    case = CASES[name]

    def gradients(function):
        made = pytree.tree_map_only(Tensor, lambda t: t.double().to(device).requires_grad_(), case.arguments)
        loss = sum(t.square().sum() for t in flat(function(*made)))
        return torch.autograd.grad(loss, flat(made))

    for ours, stock in zip(gradients(case.operator), gradients(case.reference), strict=True):
        torch.testing.assert_close(ours, stock)


@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True)], ids=str)
def test_only_wanted_gradients(wanted):
    for function, sizes in ((OPS.linear, [(3, 5), (4, 5), (4,)]), (convolution, [(2, 3, 5, 5), (4, 3, 2, 2), (4,)])):
        operands = [t.requires_grad_(is_wanted) for t, is_wanted in zip(leaves(*sizes), wanted, strict=True)]
        function(*operands).square().sum().backward()
        assert [t.grad is not None for t in operands] == list(wanted)


def test_checkpoints_hooks_and_writes_to_the_result():
    x, w = leaves((3, 5), (4, 5))
    expected = torch.autograd.grad(F.gelu(F.linear(x, w)).square().sum(), (x, w))
    with torch.autograd.graph.save_on_cpu():
        y = checkpoint(lambda x: OPS.linear(x, w, post_op="gelu"), x, use_reentrant=False)
    y.square_()
    for ours, stock in zip(torch.autograd.grad(y.sum(), (x, w)), expected, strict=True):
        torch.testing.assert_close(ours, stock)
    image, kernel = leaves((3, 5, 5), (4, 3, 2, 2))
    y = convolution(image, kernel).relu_()
    expected = torch.autograd.grad(F.conv2d(image, kernel).relu().square().sum(), (image, kernel))
    for ours, stock in zip(torch.autograd.grad(y.square().sum(), (image, kernel)), expected, strict=True):
        torch.testing.assert_close(ours, stock)


def test_the_input_of_a_frozen_weight_may_be_written():
    x, w = leaves((3, 5), (4, 5))
    y = OPS.linear(x := x * 1, w.detach())
    x.add_(1)
    y.sum().backward()


def test_gradients_of_bfloat16_and_of_float32_weights_beside_it():
    for dtype in (torch.bfloat16, torch.float32):
        x, w, b = numbers(3, 5).bfloat16(), numbers(4, 5, seed=1, dtype=dtype), numbers(4, seed=2, dtype=dtype)
        operands = [t.requires_grad_() for t in (x, w, b)]
        OPS.linear(*operands).sum().backward()
        assert [t.grad.dtype for t in operands] == [torch.bfloat16, dtype, dtype]
        torch.testing.assert_close(b.grad, torch.full_like(b, 3))


class Net(nn.Module):
    """A convolution and two layers, by our operators or by stock ones."""

    def __init__(self, ours: bool) -> None:
        super().__init__()
        self.convolution, self.linear = (convolution, OPS.linear) if ours else (stock_convolution, stock_linear)
        self.conv, self.first, self.last = nn.Conv2d(1, 4, 3), nn.Linear(4 * 36, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution(x, self.conv.weight, self.conv.bias, post_op="relu").flatten(1)
        y = self.linear(y, self.first.weight, self.first.bias, post_op="gelu")
        return self.linear(y, self.last.weight, self.last.bias)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-8), (torch.float32, 1e-2)], ids=str)
def test_training(dtype, near, device):
    images, labels = numbers(24, 1, 8, 8).to(device, dtype), (torch.arange(24) % 3).to(device)
    torch.manual_seed(0)
    stock, net = Net(False).to(device, dtype), Net(True).to(device, dtype)
    net.load_state_dict(stock.state_dict())
    losses: dict[nn.Module, list[float]] = {net: [], stock: []}
    for model, found in losses.items():
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(15):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            with torch.no_grad():  # weights are copied here, and written in the next step
                found.append(float(F.cross_entropy(model(images), labels)))
    assert losses[net] == pytest.approx(losses[stock], rel=near)
    assert losses[net][-1] < losses[net][0] / 2
