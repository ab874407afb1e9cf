"""`roi_align`: features of regions, averaged over points between pixels.

Bilinear interpolation at (y, x) is a product of a part that depends on y and one that depends on x, and so is the mean over
the points of a bin. Each region therefore is two small matrix products, rows @ features @ columns^T, where rows[i, h] says how
much of feature row h goes into row i of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from torch_ipex_device.core.errors import error


def roi_align(
    input: Tensor,
    rois: Tensor | Sequence[Tensor],
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Returns the features of regions of images, each brought to the same size.

    Args:
        input: features, [N, C, H, W], floating point.
        rois: regions (image, x1, y1, x2, y2), [K, 5], or for every image a tensor of (x1, y1, x2, y2), [L, 4].
        output_size: height and width of the result in bins; one number means both.
        spatial_scale: pixels of the features per unit of the regions.
        sampling_ratio: points per bin and dimension; 0 or less means as many as there are pixels, rounded up.
        aligned: shift regions by half a pixel, as Detectron2 does. Without it, regions are at least one pixel wide and high.

    Returns:
        [K, C, height, width], dtype of `input`. Its gradient reaches `input`, once; regions have none.

    Raises:
        TypeError: E101, an argument is no tensor, or `input` is not floating point.
        ValueError: E103, a shape, size or number of an image that does not fit.

    Source: He et al., "Mask R-CNN", 2017; maskrcnn-benchmark for the conventions.

    Example:
        >>> x = torch.arange(16.0).view(1, 1, 4, 4)
        >>> ipex.nn.functional.roi_align(x, torch.tensor([[0.0, 0, 0, 2, 2]]), 1, sampling_ratio=2).item()
        5.0
    """
    height, width = _size(output_size)
    _check_input(input)
    regions = _regions(rois, input.size(0)).detach().cpu()
    if len(regions) == 0 or input.numel() == 0:
        return input.new_zeros(len(regions), input.size(1), height, width) + input.sum() * 0
    dtype = torch.promote_types(input.dtype, torch.float32)
    scaled = regions[:, 1:].to(dtype) * spatial_scale
    axes = []
    for low, high, bins, pixels in ((1, 3, height, input.size(2)), (0, 2, width, input.size(3))):
        axes.append(_weights(scaled[:, low], scaled[:, high], bins, pixels, sampling_ratio, aligned))
    return _RoiAlign.apply(input, regions[:, 0].long().tolist(), *axes)


class _Axis(NamedTuple):
    weights: Tensor  # [K, bins, pixels], on CPU
    ranges: list[tuple[int, int]]  # of the pixels whose weight is not zero


def _weights(start: Tensor, end: Tensor, bins: int, pixels: int, sampling_ratio: int, aligned: bool) -> _Axis:
    """How much of each pixel goes into each bin, along one dimension.

    Args:
        start: of the regions, in pixels, [K].
        end: of the regions, [K].
    """
    if aligned:
        start, length = start - 0.5, end - start
    else:
        length = (end - start).clamp(min=1)
    bin_length = (length / bins)[:, None, None]
    points = torch.full_like(length, sampling_ratio) if sampling_ratio > 0 else (length / bins).ceil().clamp(min=0)
    point = torch.arange(int(points.max()), dtype=start.dtype)
    exists = point < points[:, None, None]
    count = points.clamp(min=1)[:, None, None]
    first = start[:, None, None] + torch.arange(bins, dtype=start.dtype)[:, None] * bin_length
    place = first + (point + 0.5) * bin_length / count  # [K, bins, points]
    exists = exists & (place >= -1) & (place <= pixels)
    place = place.clamp(0, pixels - 1)
    lower = place.floor()
    upper_share = place - lower
    weights = torch.zeros(len(start), bins, pixels, dtype=start.dtype)
    for index, share in ((lower, 1 - upper_share), (lower + 1, upper_share)):
        share = torch.where(exists, share, 0.0) / count
        weights.scatter_add_(2, index.long().clamp(max=pixels - 1), share)
    used = (weights != 0).any(1)
    first_used = used.int().argmax(1)
    last_used = pixels - used.flip(1).int().argmax(1)
    return _Axis(weights, list(zip(first_used.tolist(), last_used.tolist(), strict=True)))


class _RoiAlign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, images: list[int], rows: _Axis, columns: _Axis) -> Tensor:
        ctx.save_for_backward(rows.weights, columns.weights)
        ctx.place = images, rows.ranges, columns.ranges
        ctx.like = input.shape, input.dtype, input.device
        results = []
        for number, (image, (top, bottom), (left, right)) in enumerate(zip(*ctx.place, strict=True)):
            features = input[image, :, top:bottom, left:right].to(rows.weights.dtype)
            down = rows.weights[number, :, top:bottom].to(input.device)
            across = columns.weights[number, :, left:right].to(input.device)
            results.append(down @ features @ across.T)
        return torch.stack(results).to(input.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        rows, columns = ctx.saved_tensors
        shape, dtype, device = ctx.like
        grad_input = torch.zeros(shape, dtype=rows.dtype, device=device)
        for number, (image, (top, bottom), (left, right)) in enumerate(zip(*ctx.place, strict=True)):
            down = rows[number, :, top:bottom].to(device)
            across = columns[number, :, left:right].to(device)
            part = down.T @ grad_output[number].to(rows.dtype) @ across
            grad_input[image, :, top:bottom, left:right] += part
        return grad_input.to(dtype), None, None, None


def _size(output_size: int | tuple[int, int]) -> tuple[int, int]:
    sizes = (output_size, output_size) if isinstance(output_size, int) else output_size
    if isinstance(sizes, Sequence) and len(sizes) == 2 and all(isinstance(each, int) and each > 0 for each in sizes):
        return sizes[0], sizes[1]
    raise error("E103", "roi_align", f"got output_size={output_size!r}; accepted: one or two positive integers")


def _check_input(input: Tensor) -> None:
    if not isinstance(input, Tensor):
        raise error("E101", "roi_align", f"input is {type(input).__name__}; accepted: torch.Tensor")
    if not input.is_floating_point():
        raise error("E101", "roi_align", f"input is {input.dtype}; supported: floating point dtypes")
    if input.dim() != 4:
        raise error("E103", "roi_align", f"input is {list(input.shape)}; accepted: [N, C, H, W]")


def _regions(rois: Tensor | Sequence[Tensor], images: int) -> Tensor:
    if not isinstance(rois, Tensor):
        rois = _numbered(rois)
    if rois.dim() != 2 or rois.size(1) != 5:
        raise error("E103", "roi_align", f"rois is {list(rois.shape)}; accepted: [K, 5]")
    if not rois.isfinite().all():
        raise error("E103", "roi_align", "rois holds NaN or infinity; accepted: finite numbers")
    if len(rois) and not 0 <= rois[:, 0].min() <= rois[:, 0].max() < images:
        raise error(
            "E103", "roi_align", f"rois name images {rois[:, 0].unique().tolist()}; accepted: 0 to {images - 1}"
        )
    return rois


def _numbered(boxes: Sequence[Tensor]) -> Tensor:
    accepted = "accepted: a tensor [K, 5], or a tensor [L, 4] for every image"
    if not isinstance(boxes, Sequence) or not all(isinstance(each, Tensor) for each in boxes):
        raise error("E101", "roi_align", f"rois is {type(boxes).__name__}; {accepted}")
    if not boxes or any(each.dim() != 2 or each.size(1) != 4 for each in boxes):
        raise error("E103", "roi_align", f"rois is {[list(each.shape) for each in boxes]}; {accepted}")
    numbers = [torch.full_like(each[:, :1], number) for number, each in enumerate(boxes)]
    return torch.cat([torch.cat(numbers), torch.cat(list(boxes))], 1)
