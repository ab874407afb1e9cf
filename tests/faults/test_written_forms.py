"""A write that fails leaves a tensor as it was, in whatever form the values were held; the next write succeeds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import torch_ipex_device as ipex
from primitives import forget_primitives
from torch_ipex_device import _C
from torch_ipex_device.testing import faults

from .injecting import SITES
from .operators import randn

IMAGES, KERNELS = randn(2, 16, 10, 10), randn(16, 16, 3, 3)
MATRIX, WEIGHTS, COLUMNS = randn(2, 128), randn(200, 128), randn(2, 16, 8, 8)


def convolution() -> Tensor:
    return F.conv2d(IMAGES.to("ipex"), KERNELS.to("ipex"))


def plain() -> Tensor:
    return COLUMNS.to("ipex")


def physical() -> Tensor:
    return _C.with_order(plain(), [0, 2, 3, 1])


def physical_and_plain() -> Tensor:
    tensor = physical()
    tensor.view(-1).clone()
    return tensor


def opened() -> Tensor:
    return F.relu(convolution())


def packed() -> Tensor:
    weights = WEIGHTS.to("ipex")
    for _ in range(2):
        F.linear(MATRIX.to("ipex"), weights)
    torch.ipex.synchronize()
    return weights


def shared() -> Tensor:
    tensor = plain()
    keep.append(torch._lazy_clone(tensor))
    return tensor


@contextlib.contextmanager
def mixed() -> Iterator[None]:
    with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)):
        yield


def narrow() -> Tensor:
    with mixed():
        tensor = convolution()
    torch.ipex.synchronize()
    return tensor


def narrow_open() -> Tensor:
    with mixed():
        return opened()


def narrow_and_plain() -> Tensor:
    tensor = narrow()
    tensor.view(-1).clone()
    return tensor


keep: list[Tensor] = []
FORMS = [plain, physical, physical_and_plain, opened, packed, shared, narrow, narrow_open, narrow_and_plain]


def in_mixed_precision(write: Callable[[Tensor], object]) -> Callable[[Tensor], object]:
    def run(tensor: Tensor) -> object:
        with mixed():
            return write(tensor)

    return run


WRITES: dict[str, Callable[[Tensor], object]] = {
    "add_": lambda x: x.add_(1),
    "add_ of another": lambda x: x.add_(x.detach().flip(0)),
    "add_ mixed": in_mixed_precision(lambda x: x.add_(1)),
    "relu_": lambda x: x.relu_(),
    "relu_ mixed": in_mixed_precision(lambda x: x.relu_()),
    "copy_": lambda x: x.copy_(torch.ones(x.shape, device="ipex")),
    "copy_ of bfloat16": lambda x: x.copy_(torch.ones(x.shape, device="ipex", dtype=torch.bfloat16)),
    "zero_ a part": lambda x: x[1:].zero_(),
    "zero_ a reshaped part": lambda x: x.view(-1)[7:].zero_(),
    "fallback": lambda x: x.cumsum_(0),
    "out": lambda x: torch.mul(x, 2, out=x),
    "resize_": lambda x: x.resize_(40, 1000)[1:].zero_(),
    "alias": lambda x: torch.ipex.as_cpu(x).add_(1),
    "index_put_": lambda x: x.index_put_((torch.zeros(1, dtype=torch.long),), torch.zeros(1, device="ipex")),
}


def readings(tensor: Tensor) -> list[Tensor]:
    """What different readers see; they must agree."""
    seen = [tensor.clone().cpu(), tensor.cpu(), (tensor + 0).cpu(), tensor.view(-1).cpu().view(tensor.shape)]
    return [torch.as_tensor(values) for values in seen]


def check_readers(tensor: Tensor) -> Tensor:
    first, *others = readings(tensor)
    for other in others:
        torch.testing.assert_close(other, first, rtol=0, atol=0)
    with mixed():  # a reader of the values in bfloat16
        low = tensor.clone()
    torch.testing.assert_close(low.cpu(), first, rtol=0.01, atol=0.01)
    return first


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield
    keep.clear()


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("name", WRITES)
def test_failed_write_leaves_the_old_values(name: str, form: Callable[[], Tensor], site: str) -> None:
    write = WRITES[name]
    old = check_readers(form())
    written = form()
    write(written)
    new = check_readers(written)
    for at in range(1, 100):
        tensor = form()
        forget_primitives()
        with faults(site, at) as injected, contextlib.suppress(torch.OutOfMemoryError, RuntimeError):
            write(tensor)
            tensor.cpu()
        if injected.count == 0:
            return
        found = check_readers(tensor)
        assert any(found.shape == known.shape and torch.allclose(found, known, 1e-4, 1e-4) for known in (old, new))
        if torch.equal(found, old):
            write(tensor)
            torch.testing.assert_close(check_readers(tensor), new, rtol=1e-3, atol=1e-3)
    raise AssertionError("it never ends")
