"""convolution: kinds, odd shapes, layouts, norms, post_ops, what is added."""

from __future__ import annotations

import itertools

import pytest
import torch

from .cases import DEVICES, DTYPES, FORMATS, POST_OPS, Case, check, convolution, numbers, statistics, stock_convolution

# batch (None: unbatched), channels in and out, groups, kernel, stride, padding, dilation, size
ROWS = {
    "plain": (2, 8, 16, 1, 3, 1, 1, 1, 7),
    "unbatched": (None, 8, 16, 1, 3, 1, 1, 1, 7),
    "depthwise": (1, 16, 16, 16, 3, 1, 0, 1, 6),
    "groups": (2, 8, 16, 4, 3, 2, 1, 1, 9),
    "dilated": (2, 8, 8, 1, 3, 1, 2, 2, 8),
    "kernel of one": (3, 16, 32, 1, 1, 1, 0, 1, 5),
    "strided": (1, 16, 32, 1, 1, 3, 0, 1, 7),
    "odd": (3, 5, 7, 1, 2, 3, 1, 1, 6),
    "one channel": (2, 1, 1, 1, 3, 1, 1, 1, 5),
    "one pixel": (1, 8, 16, 1, 3, 2, 1, 1, 1),
    "large kernel": (1, 3, 8, 1, 7, 2, 3, 1, 9),
    "empty batch": (0, 8, 16, 1, 3, 1, 1, 1, 7),
    "no channels": (2, 0, 4, 1, 1, 1, 0, 1, 5),
    "wide": (1, 32, 48, 1, 3, 1, 1, 1, 6),
}
CHANGES = {
    "contiguous": (False, False),
    "channels-last": (True, True),
    "channels-last input": (True, False),
    "channels-last weight": (False, True),
}


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def case(*arguments: object, **extra: object) -> Case:
    return Case(
        lambda x, w, b, rest: convolution(x, w, b, *arguments, **{**extra, **rest}),
        (),
        lambda x, w, b, rest: stock_convolution(x, w, b, *arguments, **{**extra, **rest}),
    )


@pytest.mark.parametrize("transposed", [False, True], ids=["forward", "transposed"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("name", ROWS)
def test_kinds(name, rank, transposed):
    batch, inputs, outputs, groups, kernel, stride, padding, dilation, size = ROWS[name]
    x = numbers(*([] if batch is None else [batch]), inputs, *[size] * rank)
    channels = (inputs, outputs // groups) if transposed else (outputs, inputs // groups)
    w, b = numbers(*channels, *[kernel] * rank, seed=1) / 4, numbers(outputs, seed=2)
    if transposed and inputs == 0:
        pytest.skip("PyTorch refuses weights of transposed convolutions without inputs")
    call = case(stride, padding, dilation, transposed, groups)
    for device, (layout, (images, weights)) in itertools.product(DEVICES, CHANGES.items()):
        if layout != "contiguous" and (rank == 1 or batch is None):
            continue
        image = x.contiguous(memory_format=FORMATS[rank]) if images else x
        weight = w.contiguous(memory_format=FORMATS[rank]) if weights else w
        for dtype in DTYPES if layout == "contiguous" else DTYPES[:1]:
            check(Case(call.operator, (image, weight, b, {}), call.reference), dtype, device)
        check(Case(call.operator, (image, weight, None, {}), call.reference), torch.float32, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("post_op", POST_OPS)
def test_post_ops(post_op, dtype, device):
    call = case(padding=1, post_op=post_op)
    x, w, b = numbers(2, 8, 6, 6), numbers(16, 8, 3, 3, seed=1) / 4, numbers(16, seed=2)
    for other in (None, numbers(2, 16, 6, 6, seed=3)):
        check(Case(call.operator, (x, w, b, {"other": other}), call.reference), dtype, device)


def norms() -> dict[str, dict[str, object]]:
    mean, var, weight, bias, eps = statistics(16)
    plain = {"norm_mean": mean, "norm_var": var, "norm_eps": eps}
    return {
        "without parameters": plain,
        "weight": {**plain, "norm_weight": weight},
        "bias": {**plain, "norm_bias": bias},
        "all": {**plain, "norm_weight": weight, "norm_bias": bias},
    }


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("name", norms())
def test_norms(name, rank, device):
    call = case(padding=1, post_op="relu")
    x, w, b = numbers(2, 8, *[5] * rank), numbers(16, 8, *[3] * rank, seed=1) / 4, numbers(16, seed=2)
    others = [None, numbers(2, 16, *[5] * rank, seed=3), numbers(16, *[1] * rank, seed=3), numbers(1, seed=3)]
    for other, image, dtype in itertools.product(others, (x, x[0]), DTYPES if rank == 2 else DTYPES[:1]):
        added = other[0] if other is not None and other.dim() > image.dim() else other
        check(Case(call.operator, (image, w, b, {**norms()[name], "other": added}), call.reference), dtype, device)


def test_arguments_stay_as_they_are():
    x, w, other = numbers(2, 16, 12, 12), numbers(32, 16, 3, 3, seed=1), numbers(2, 32, 12, 12, seed=3)
    mean, var, weight, bias, eps = statistics(32)
    everything = (x, w, other, mean, var, weight, bias)
    before = [t.clone() for t in everything]
    norm = {"norm_mean": mean, "norm_var": var, "norm_weight": weight, "norm_bias": bias, "norm_eps": eps}
    convolution(x, w, padding=1, other=other, post_op="relu", **norm)
    assert all(map(torch.equal, everything, before))


def test_half_has_no_kernels_of_ours_and_is_passed_on():
    x, w = numbers(2, 8, 6, 6).half(), numbers(16, 8, 3, 3, seed=1).half()
    for _ in range(3):
        torch.testing.assert_close(convolution(x, w, padding=1), stock_convolution(x, w, padding=1))
