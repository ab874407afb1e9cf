"""Non-maximum suppression in the two forms of the archived device API: Mask R-CNN's `nms` and SSD's `batch_score_nms`."""

from __future__ import annotations

import torch
from torch import Tensor

from torch_ipex_device.core.errors import error

_LEAST_SCORE = 0.05
_MOST_BOXES = 200


def nms(dets: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Returns which boxes stay when every box removes those of a lower score that overlap it by `threshold` or more.

    Boxes hold whole pixels: x1 to x2 inclusive is `x2 - x1 + 1` wide. `torchvision.ops.nms` has no such 1, orders its result
    by score, and keeps boxes that overlap by exactly the threshold.

    Args:
        dets: boxes (x1, y1, x2, y2), [N, 4], floating point.
        scores: [N], same dtype; of equal ones the first counts as higher.
        threshold: intersection over union.

    Returns:
        int64, the indices in ascending order, on the device of `dets`.

    Raises:
        TypeError: E101, an argument is no tensor, or scores have another dtype than boxes.
        ValueError: E103, a shape that does not fit.

    Source: maskrcnn-benchmark, whose conventions the archived operator followed.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 9, 9], [1, 1, 9, 9], [20, 20, 29, 29]])
        >>> ipex.nn.functional.nms(boxes, torch.tensor([0.5, 0.9, 0.3]), 0.5).tolist()
        [1, 2]
    """
    _check("nms", dets, scores, 1)
    return _kept(dets.detach().cpu(), scores.detach().cpu(), threshold, 1.0).to(dets.device)


def batch_score_nms(dets: Tensor, scores: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the detections of one image: for every class but 0, the background, the boxes that stay.

    A class considers its 200 best boxes with a score above 0.05. Boxes are measured without the 1 of `nms`.

    Args:
        dets: boxes (x1, y1, x2, y2), [N, 4], floating point.
        scores: of every box and class, [N, C], same dtype.
        threshold: intersection over union.

    Returns:
        Boxes [K, 4], labels [K] and scores [K], class by class, scores ascending. Labels are float32.

    Raises:
        TypeError: E101, an argument is no tensor, or scores have another dtype than boxes.
        ValueError: E103, a shape that does not fit.

    Source: the reference SSD of MLPerf Inference, whose conventions the archived operator followed.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 0.9]])
        >>> ipex.nn.functional.batch_score_nms(boxes, torch.tensor([[0.1, 0.9], [0.3, 0.7]]), 0.5)[1:]
        (tensor([1.]), tensor([0.9000]))
    """
    _check("batch_score_nms", dets, scores, 2)
    boxes, columns = dets.detach().cpu(), scores.detach().cpu()
    found = [(boxes[:0], torch.empty(0), columns.flatten()[:0])]  # what there is when nothing stays
    for label in range(1, columns.size(1)):
        candidates = (columns[:, label] > _LEAST_SCORE).nonzero().squeeze(1)
        order = columns[candidates, label].sort(stable=True).indices[-_MOST_BOXES:]
        best = candidates[order]
        stay = best[_kept(boxes[best], columns[best, label], threshold, 0.0)]
        found.append((boxes[stay], torch.full((len(stay),), float(label)), columns[stay, label]))
    all_boxes, all_labels, all_scores = (torch.cat(parts).to(dets.device) for parts in zip(*found, strict=True))
    return all_boxes, all_labels, all_scores


def _kept(boxes: Tensor, scores: Tensor, threshold: float, extra: float) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(1)
    areas = (x2 - x1 + extra) * (y2 - y1 + extra)
    left = scores.sort(descending=True, stable=True).indices
    kept = []
    while len(left):
        best, rest = left[0], left[1:]
        kept.append(best)
        width = torch.minimum(x2[best], x2[rest]) - torch.maximum(x1[best], x1[rest]) + extra
        height = torch.minimum(y2[best], y2[rest]) - torch.maximum(y1[best], y1[rest]) + extra
        common = width.clamp(min=0) * height.clamp(min=0)
        left = rest[~(common / (areas[best] + areas[rest] - common) >= threshold)]
    return torch.stack(kept).sort().values if kept else left


def _check(where: str, dets: Tensor, scores: Tensor, dimensions: int) -> None:
    for name, each in (("dets", dets), ("scores", scores)):
        if not isinstance(each, Tensor):
            raise error("E101", where, f"{name} is {type(each).__name__}; accepted: torch.Tensor")
    if not dets.is_floating_point() or scores.dtype != dets.dtype:
        raise error("E101", where, f"got {dets.dtype} boxes, {scores.dtype} scores; accepted: one floating point dtype")
    if dets.dim() != 2 or dets.size(1) != 4:
        raise error("E103", where, f"dets is {list(dets.shape)}; accepted: [N, 4]")
    if scores.dim() != dimensions or scores.size(0) != dets.size(0):
        accepted = f"[{dets.size(0)}]" if dimensions == 1 else f"[{dets.size(0)}, C]"
        raise error("E103", where, f"scores is {list(scores.shape)}; accepted: {accepted}")
