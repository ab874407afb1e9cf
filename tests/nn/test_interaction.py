"""`interaction`: dot products of all pairs, with gradients, and clear errors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from torch_ipex_device.nn.functional import interaction

DEVICES = pytest.mark.parametrize("device", ["cpu", "ipex"])


def features(batch: int, widths: list[int], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(batch, width).to(dtype) for width in widths]


def reference(inputs: list[Tensor]) -> Tensor:
    """One product at a time, in float64."""
    width = inputs[0].size(1)
    rows = []
    for vectors in zip(*(each.double().split(1) for each in inputs), strict=True):
        parts = [part for vector in vectors for part in vector[0].split(width)]
        products = [parts[i].dot(parts[j]) for i in range(len(parts)) for j in range(i)]
        rows.append(torch.cat([parts[0], *(each[None] for each in products)]))
    return torch.stack(rows)


@DEVICES
@pytest.mark.parametrize("widths", [[5], [4, 4], [8] * 27, [3, 6, 3]], ids=str)
def test_values(device: str, widths: list[int]) -> None:
    inputs = features(7, widths)
    result = interaction(*(each.to(device) for each in inputs))
    assert result.device.type == device
    torch.testing.assert_close(result.cpu(), reference(inputs).float(), atol=1e-5, rtol=1e-5)  # sums of 8 products


@DEVICES
def test_gradients(device: str) -> None:
    inputs = features(6, [4, 4, 8])
    exact = [each.double().requires_grad_() for each in inputs]
    leaves = [each.to(device).requires_grad_() for each in inputs]
    weight = torch.randn(6, 4 + 6)
    (reference(exact) * weight).sum().backward()
    (interaction(*leaves) * weight.to(device)).sum().backward()
    for leaf, other in zip(leaves, exact, strict=True):
        assert leaf.grad is not None and other.grad is not None
        torch.testing.assert_close(leaf.grad.cpu(), other.grad.float(), atol=1e-5, rtol=1e-5)


def test_gradients_of_gradients() -> None:
    inputs = [each.double().requires_grad_() for each in features(2, [3, 3, 3])]
    assert torch.autograd.gradcheck(interaction, inputs)
    assert torch.autograd.gradgradcheck(interaction, inputs)


@DEVICES
def test_bfloat16(device: str) -> None:
    inputs = features(5, [16, 16, 16], torch.bfloat16)
    result = interaction(*(each.to(device) for each in inputs))
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.cpu(), reference(inputs).bfloat16(), rtol=2**-7, atol=2**-7)


@DEVICES
def test_empty_batch(device: str) -> None:
    assert interaction(*(torch.ones(0, 4, device=device) for _ in range(3))).shape == (0, 7)


@DEVICES
def test_views_are_fine(device: str) -> None:
    inputs = features(6, [4, 4])
    views = [each.t().contiguous().to(device).t() for each in inputs]
    torch.testing.assert_close(interaction(*views).cpu(), reference(inputs).float(), atol=1e-5, rtol=1e-5)


def test_inputs_are_left_alone() -> None:
    inputs = [each.to("ipex") for each in features(3, [4, 4])]
    before = [each.cpu().clone() for each in inputs]
    interaction(*inputs).cpu()
    assert all(torch.equal(each.cpu(), old) for each, old in zip(inputs, before, strict=True))


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        ([], "got no tensor"),
        ([(2, 3, 4)], r"argument 0 is \[2, 3, 4\]; accepted: 2 dimensions"),
        ([(2, 0)], r"argument 0 is \[2, 0\]"),
        ([(2, 4), (3, 4)], r"argument 1 is \[3, 4\]; accepted: 2 rows of a multiple of 4 columns"),
        ([(2, 4), (2, 6)], r"argument 1 is \[2, 6\]"),
    ],
)
def test_bad_shapes_are_refused(shapes: list[tuple[int, ...]], text: str) -> None:
    with pytest.raises(ValueError, match=rf"\[interaction\] E103 .*{text}"):
        interaction(*(torch.ones(shape) for shape in shapes))


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match=r"E101 argument 1 is list"):
        interaction(torch.ones(2, 2), [1, 2])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"E101 argument 1 is torch.float64; supported: torch.float32"):
        interaction(torch.ones(2, 2), torch.ones(2, 2).double())


def test_devices_do_not_mix() -> None:
    with pytest.raises(RuntimeError, match="E102"):
        interaction(torch.ones(2, 2), torch.ones(2, 2, device="ipex"))
