"""Results lie as those of the stock operator do, and as fake kernels say."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree as pytree

from .cases import CASES, DEVICES, DTYPES, FORMATS, OPS, converted, convolution, flat, numbers, stock_convolution
from .test_attention import operands, ours

CHANGES = list(itertools.product((False, True), repeat=2))
KNOWN = "float64 channels-last convolutions: contiguous on CPU, unlike the stock operator's; channels-last on ipex"


def looks(result: Any) -> list[tuple[Any, ...]]:
    """What is visible of tensors without their values."""
    return [(t.shape, t.stride(), t.dtype, t.device) for t in flat(result)]


def faked(operator: Any, arguments: Any) -> Any:
    """The result of the fake kernel."""
    mode = FakeTensorMode()
    fakes = pytree.tree_map_only(Tensor, mode.from_tensor, arguments)
    with mode:
        return operator(*fakes)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_fake_kernels(name, dtype, device):
    arguments = converted(converted(CASES[name].arguments, dtype), device)
    assert looks(CASES[name].operator(*arguments)) == looks(faked(CASES[name].operator, arguments))


def images(
    rank: int, change: tuple[bool, bool], dtype: torch.dtype, sizes: tuple[int, int, int] = (2, 8, 7)
) -> list[Tensor]:
    """Returns an input and a weight, each contiguous or channels-last."""
    batch, channels, size = sizes
    tensors = [numbers(batch, channels, *[size] * rank), numbers(channels, channels, *[3] * rank, seed=1)]
    return [
        t.to(dtype, memory_format=FORMATS[rank]) if last else t.to(dtype)
        for t, last in zip(tensors, change, strict=True)
    ]


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_convolution_lies_as_the_stock_operator_makes_it(change, dtype, rank, transposed):
    x, w = images(rank, change, dtype)
    result = convolution(x, w, padding=1, transposed=transposed)
    assert result.stride() == stock_convolution(x, w, padding=1, transposed=transposed).stride()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_convolution_lies_as_its_fake_kernel_says(change, dtype, rank, device):
    arguments = converted(images(rank, change, dtype), device)
    for transposed in (False, True):

        def call(x: Tensor, w: Tensor, transposed: bool = transposed) -> Tensor:
            return convolution(x, w, padding=1, transposed=transposed, post_op="relu")

        assert looks(call(*arguments)) == looks(faked(call, arguments))


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_gradients_of_a_convolution_lie_as_the_stock_ones(change):
    x, w = images(2, change, torch.float32)
    grads = []
    for operator in (convolution, stock_convolution):
        leaves = [t.detach().clone(memory_format=torch.preserve_format).requires_grad_() for t in (x, w)]
        with torch.enable_grad():
            operator(*leaves, padding=1).square().sum().backward()
        grads.append([leaf.grad.stride() for leaf in leaves])
    assert grads[0] == grads[1]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_the_gradient_of_a_weight_lies_as_the_weight(change, device):
    """Autograd copies others."""
    x, w = converted(images(2, change, torch.float32), device)
    grad = convolution(x, w, padding=1)

    def call(grad: Tensor, x: Tensor, w: Tensor) -> Tensor:
        geometry = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)
        return OPS.convolution_backward(grad, x, w, *geometry, [False, True, False])[1]

    found = call(grad, x, w)
    assert found.stride() == w.stride()
    assert looks(found) == looks(faked(call, (grad, x, w)))


@pytest.mark.parametrize("name", ["empty batch", "no queries", "no heads", "one head", "one query"])
def test_attention_of_few_lies_as_its_fake_kernel_says(name):
    arguments = (*operands(name), None, False, None)
    assert looks(ours(*arguments)) == looks(faked(ours, arguments))


@pytest.mark.parametrize("name", ["self", "typical", "cross", "width of values", "no keys"])
def test_attention_lies_as_its_fake_kernel_says(name):
    for device in DEVICES:
        arguments = converted((*operands(name), None, False, None), device)
        assert looks(ours(*arguments)) == looks(faked(ours, arguments))


@pytest.mark.parametrize("change", [(False, True), (True, True)], ids=str)
def test_convolution_of_one_pixel_lies_as_its_fake_kernel_says(change):
    arguments = images(3, change, torch.float32, (1, 8, 1))
    assert looks(convolution(*arguments, padding=1)) == looks(
        faked(lambda x, w: convolution(x, w, padding=1), arguments)
    )


def test_attention_broadcasts_in_the_fake_kernel():
    arguments = (numbers(1, 3, 4, 8), numbers(2, 3, 4, 8), numbers(2, 3, 4, 8), None, False, None)
    assert looks(ours(*arguments)) == looks(faked(ours, arguments))
