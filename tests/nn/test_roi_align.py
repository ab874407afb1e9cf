"""roi_align: a reference that goes point by point, gradients, conventions, hostile regions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from torch_ipex_device.nn import ROIAlign
from torch_ipex_device.nn.functional import roi_align

DEVICES = pytest.mark.parametrize("device", ["cpu", "ipex"])


def at(image: Tensor, y: float, x: float) -> Tensor:
    """The features of [C, H, W] at a point, nothing more than a pixel outside."""
    height, width = image.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return torch.zeros(image.size(0), dtype=image.dtype)
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    above = image[:, y0, x0] * (1 - (x - x0)) + image[:, y0, x1] * (x - x0)
    below = image[:, y1, x0] * (1 - (x - x0)) + image[:, y1, x1] * (x - x0)
    return above * (1 - (y - y0)) + below * (y - y0)


def reference(
    input: Tensor, rois: Tensor, size: tuple[int, int], scale: float, ratio: int, aligned: bool = False
) -> Tensor:
    results = []
    for roi in rois.double():
        left, top, right, bottom = ((roi[1:] * scale) - (0.5 if aligned else 0)).tolist()
        height, width = bottom - top, right - left
        if not aligned:
            height, width = max(height, 1), max(width, 1)
        rows = ratio if ratio > 0 else math.ceil(height / size[0])
        columns = ratio if ratio > 0 else math.ceil(width / size[1])
        image = input.double()[int(roi[0])]
        result = torch.zeros(image.size(0), *size, dtype=torch.float64)
        for i in range(size[0]):
            for j in range(size[1]):
                points = [
                    at(
                        image,
                        top + (i + (a + 0.5) / rows) * height / size[0],
                        left + (j + (b + 0.5) / columns) * width / size[1],
                    )
                    for a in range(rows)
                    for b in range(columns)
                ]
                if points:
                    result[:, i, j] = torch.stack(points).mean(0)
        results.append(result)
    return torch.stack(results)


def regions(count: int = 6) -> Tensor:
    torch.manual_seed(1)
    corners = torch.rand(count, 2, 2) * 24 - 2  # beyond the features on all sides
    low, high = corners.min(1).values, corners.max(1).values
    return torch.cat([torch.randint(2, (count, 1)).float(), low, high], 1)


CASES: dict[str, tuple[Any, ...]] = {
    "2 points": ((3, 2), 0.5, 2),
    "adaptive": ((2, 3), 0.75, 0),
    "one bin": ((1, 1), 1.0, -1),
    "aligned": ((2, 2), 0.5, 2, True),
    "aligned adaptive": ((3, 3), 0.5, 0, True),
}


@DEVICES
@pytest.mark.parametrize("case", CASES)
def test_values(device: str, case: str) -> None:
    torch.manual_seed(0)
    x, rois = torch.randn(2, 3, 9, 10), regions()
    result = roi_align(x.to(device), rois.to(device), *CASES[case])
    assert result.device.type == device
    torch.testing.assert_close(result.cpu(), reference(x, rois, *CASES[case]).float(), rtol=1e-4, atol=1e-5)


@DEVICES
@pytest.mark.parametrize("case", ["2 points", "adaptive"])
def test_gradients(device: str, case: str) -> None:
    torch.manual_seed(0)
    x, rois = torch.randn(2, 3, 9, 10), regions()
    exact = x.double().requires_grad_()
    expected = reference(exact, rois, *CASES[case])
    diff = torch.randn(expected.shape)
    (expected * diff).sum().backward()
    leaf = x.to(device).requires_grad_()
    (roi_align(leaf, rois.to(device), *CASES[case]) * diff.to(device)).sum().backward()
    assert leaf.grad is not None and exact.grad is not None
    torch.testing.assert_close(leaf.grad.cpu(), exact.grad.float(), rtol=1e-4, atol=1e-5)


def test_gradients_in_float64() -> None:
    x = torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: roi_align(each, regions(4).double(), 2, 0.3, 2), x)


def test_regions_are_at_least_a_pixel_wide() -> None:
    x = torch.arange(25.0).view(1, 1, 5, 5)
    point = torch.tensor([[0.0, 2, 2, 2, 2]])
    assert roi_align(x, point, 1, 1.0, 2).item() == 15.0  # the mean from 2 to 3 in both dimensions
    assert roi_align(x, point, 1, 1.0, 0, aligned=True).item() == 0.0  # no point, as in Detectron2


def test_bfloat16_is_computed_in_float32() -> None:
    torch.manual_seed(0)
    x, rois = torch.randn(2, 3, 9, 10).bfloat16(), regions()
    result = roi_align(x, rois, (2, 2), 0.5, 2)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result, reference(x, rois, (2, 2), 0.5, 2).bfloat16(), rtol=2**-7, atol=2**-7)


def test_list_of_boxes_counts_images() -> None:
    torch.manual_seed(0)
    x, rois = torch.randn(2, 3, 9, 10), regions()
    order = rois[:, 0].argsort(stable=True)
    boxes = [rois[rois[:, 0] == image, 1:] for image in range(2)]
    torch.testing.assert_close(roi_align(x, boxes, 2, 0.5, 2), roi_align(x, rois[order], 2, 0.5, 2))


@DEVICES
@pytest.mark.parametrize(("images", "channels", "count"), [(2, 3, 0), (2, 0, 2), (0, 3, 0)])
def test_empty(device: str, images: int, channels: int, count: int) -> None:
    x = torch.ones(images, channels, 5, 5, device=device, requires_grad=True)
    result = roi_align(x, torch.zeros(count, 5, device=device), (2, 3), 1.0, 2)
    assert result.shape == (count, channels, 2, 3)
    result.sum().backward()
    assert x.grad is not None and not x.grad.cpu().any()


@DEVICES
def test_module_is_the_function(device: str) -> None:
    x, rois = torch.randn(2, 3, 9, 10, device=device), regions().to(device)
    module = ROIAlign((3, 2), 0.5, 2)
    assert torch.equal(module(x, rois).cpu(), roi_align(x, rois, (3, 2), 0.5, 2).cpu())
    assert "sampling_ratio=2" in repr(module)


@pytest.mark.parametrize(
    ("rois", "text"),
    [
        (torch.tensor([[2.0, 0, 0, 1, 1]]), r"rois name images \[2.0\]; accepted: 0 to 1"),
        (torch.tensor([[-1.0, 0, 0, 1, 1]]), "rois name images"),
        (torch.tensor([[0, 0, 0, math.nan, 1]]), "rois holds NaN or infinity"),
        (torch.tensor([[0, 0, 0, math.inf, 1]]), "rois holds NaN or infinity"),
        (torch.ones(3, 4), r"rois is \[3, 4\]; accepted: \[K, 5\]"),
        ([torch.ones(3, 5)], r"rois is \[\[3, 5\]\]"),
        ([], r"rois is \[\]"),
        ([torch.ones(1, 4)] * 3, "rois name images"),
    ],
)
def test_bad_regions_are_refused(rois: Tensor, text: str) -> None:
    with pytest.raises(ValueError, match=rf"\[roi_align\] E103 {text}"):
        roi_align(torch.ones(2, 1, 4, 4), rois, 2, 1.0, 2)


@pytest.mark.parametrize("size", [0, (2, -1), (1, 2, 3), 1.5, (1.0, 2), None, "ab"])
def test_bad_sizes_are_refused(size: Any) -> None:
    with pytest.raises(ValueError, match=r"E103 got output_size=.*; accepted: one or two positive integers"):
        roi_align(torch.ones(1, 1, 4, 4), torch.zeros(1, 5), size, 1.0, 2)


def test_bad_inputs_are_refused() -> None:
    with pytest.raises(TypeError, match="E101 input is list"):
        roi_align([], torch.zeros(1, 5), 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"E101 input is torch.int64"):
        roi_align(torch.ones(1, 1, 4, 4).long(), torch.zeros(1, 5), 1)
    with pytest.raises(ValueError, match=r"E103 input is \[1, 4, 4\]"):
        roi_align(torch.ones(1, 4, 4), torch.zeros(1, 5), 1)
    with pytest.raises(TypeError, match="E101 rois is int"):
        roi_align(torch.ones(1, 1, 4, 4), 3, 1)  # type: ignore[arg-type]
