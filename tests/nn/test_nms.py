"""nms and batch_score_nms: the archived conventions against a reference in plain Python."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from torch_ipex_device.nn.functional import batch_score_nms, nms

DEVICES = pytest.mark.parametrize("device", ["cpu", "ipex"])


def boxes(count: int, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    corner, size = torch.rand(count, 2) * 50, torch.rand(count, 2) * 25
    return torch.cat([corner, corner + size], 1)


def overlap(a: list[float], b: list[float], extra: float) -> float:
    def area(box: list[float]) -> float:
        return (box[2] - box[0] + extra) * (box[3] - box[1] + extra)

    common = max(min(a[2], b[2]) - max(a[0], b[0]) + extra, 0) * max(min(a[3], b[3]) - max(a[1], b[1]) + extra, 0)
    return common / (area(a) + area(b) - common)


def reference(dets: Tensor, scores: Tensor, threshold: float, extra: float = 1.0) -> list[int]:
    found: list[int] = []
    rows = dets.double().tolist()
    for index in sorted(range(len(rows)), key=lambda each: -scores[each].item()):
        if all(overlap(rows[index], rows[other], extra) < threshold for other in found):
            found.append(index)
    return sorted(found)


@DEVICES
@pytest.mark.parametrize("threshold", [0.2, 0.4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_boxes_that_stay(device: str, threshold: float, dtype: torch.dtype) -> None:
    dets, scores = boxes(80).to(dtype), torch.rand(80, dtype=dtype)
    kept = nms(dets.to(device), scores.to(device), threshold)
    assert (kept.dtype, kept.device.type) == (torch.int64, device)
    assert kept.tolist() == reference(dets, scores, threshold)
    assert 1 < len(kept) < 80


def test_an_overlap_of_exactly_the_threshold_removes() -> None:
    dets = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 4]])  # 100 and 50 pixels
    scores = torch.tensor([0.9, 0.8])
    assert nms(dets, scores, 0.5).tolist() == [0]
    assert nms(dets, scores, 0.51).tolist() == [0, 1]


def test_boxes_hold_whole_pixels() -> None:
    dets = torch.tensor([[0.0, 0, 0, 0], [0, 0, 0, 0], [3, 3, 3, 3]])
    assert nms(dets, torch.tensor([0.1, 0.2, 0.3]), 0.5).tolist() == [1, 2]


@DEVICES
def test_no_boxes(device: str) -> None:
    kept = nms(torch.ones(0, 4, device=device), torch.ones(0, device=device), 0.5)
    assert (kept.tolist(), kept.dtype, kept.device.type) == ([], torch.int64, device)


@DEVICES
def test_detections_of_an_image(device: str) -> None:
    dets = boxes(60, seed=3)
    scores = torch.rand(60, 4).softmax(1)
    scores[:, 3] = 0.05  # not above it
    found, labels, values = batch_score_nms(dets.to(device), scores.to(device), 0.4)
    assert {each.device.type for each in (found, labels, values)} == {device}
    assert (labels.dtype, values.dtype) == (torch.float32, torch.float32)
    expected: list[tuple[float, float, list[float]]] = []
    for label in (1, 2):
        above = (scores[:, label] > 0.05).nonzero().squeeze(1)
        kept = above[torch.tensor(reference(dets[above], scores[above, label], 0.4, extra=0.0))]
        expected += sorted((label, scores[index, label].item(), dets[index].tolist()) for index in kept)
    assert list(zip(labels.tolist(), values.tolist(), found.tolist(), strict=True)) == expected


def test_a_class_considers_its_200_best_boxes() -> None:
    corner = torch.arange(300.0)[:, None] * 10
    dets = torch.cat([corner, corner, corner + 1, corner + 1], 1)  # none overlaps
    scores = torch.linspace(0.1, 0.9, 300)[:, None].expand(300, 2)
    found, _, values = batch_score_nms(dets, scores, 0.5)
    assert len(found) == 200
    assert torch.equal(values, scores[100:, 1])


@DEVICES
@pytest.mark.parametrize(("count", "classes"), [(0, 3), (5, 1), (5, 3), (5, 0)])
def test_nothing_stays(device: str, count: int, classes: int) -> None:
    found, labels, values = batch_score_nms(
        torch.ones(count, 4, device=device), torch.full((count, classes), 0.01, device=device), 0.5
    )
    assert (found.shape, labels.shape, values.shape) == ((0, 4), (0,), (0,))


@pytest.mark.parametrize("function", [nms, batch_score_nms])
def test_bad_arguments_are_refused(function) -> None:
    scores = torch.ones(3) if function is nms else torch.ones(3, 2)
    with pytest.raises(TypeError, match="E101 scores is list"):
        function(torch.ones(3, 4), [1], 0.5)
    with pytest.raises(TypeError, match=r"E101 got torch.float64 boxes, torch.float32 scores"):
        function(torch.ones(3, 4).double(), scores, 0.5)
    with pytest.raises(TypeError, match=r"E101 got torch.int64 boxes, torch.int64 scores"):
        function(torch.ones(3, 4).long(), scores.long(), 0.5)
    with pytest.raises(ValueError, match=r"E103 dets is \[3, 5\]; accepted: \[N, 4\]"):
        function(torch.ones(3, 5), scores, 0.5)
    with pytest.raises(ValueError, match=r"E103 scores is \[3, .*accepted: \[2|E103 scores is \[3\]; accepted: \[2\]"):
        function(torch.ones(2, 4), scores, 0.5)
