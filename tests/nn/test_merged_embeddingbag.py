"""Merged embedding tables: values, gradients, learning in backward, errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from torch_ipex_device.nn.functional import embeddingbag
from torch_ipex_device.nn.modules import (
    EmbeddingSpec,
    MergedEmbeddingBag,
    MergedEmbeddingBagWithAdaGrad,
    MergedEmbeddingBagWithCat,
    MergedEmbeddingBagWithSGD,
)

DEVICES = pytest.mark.parametrize("device", ["cpu", "ipex"])
MODES = pytest.mark.parametrize("mode", ["sum", "mean"])
ROWS = (10, 7, 30)
WIDTH = 5
# Bags of 2, 0, 3 and 1; rows come twice in a bag and in several bags.
INDICES = [torch.tensor([1, 1, 4, 6, 4, 0]), torch.tensor([0, 6, 6, 6, 2, 3]), torch.tensor([29, 3, 3, 0, 29, 7])]
OFFSETS = [torch.tensor([0, 2, 2, 5])] * 3


def tables(mode: str = "sum", **options: Any) -> nn.ModuleList:
    torch.manual_seed(0)
    return nn.ModuleList([nn.EmbeddingBag(rows, WIDTH, mode=mode, **options) for rows in ROWS])


def on(device: str, tensors: list[Tensor]) -> list[Tensor]:
    return [each.to(device) for each in tensors]


def reference(weight: Tensor, indices: Tensor, offsets: Tensor, mode: str) -> Tensor:
    """Bag by bag."""
    ends = [*offsets.tolist()[1:], len(indices)]
    bags = []
    for start, end in zip(offsets.tolist(), ends, strict=True):
        rows = [weight[index] for index in indices[start:end].tolist()]
        total = torch.stack(rows).sum(0) if rows else torch.zeros(weight.size(1), dtype=weight.dtype)
        bags.append(total / max(len(rows), 1) if mode == "mean" else total)
    return torch.stack(bags)


@DEVICES
@MODES
@pytest.mark.parametrize("sparse", [False, True])
def test_bags_and_gradients(device: str, mode: str, sparse: bool) -> None:
    stock = tables(mode, sparse=sparse)
    exact = [table.weight.detach().double().requires_grad_() for table in stock]
    merged = MergedEmbeddingBag.from_embeddingbag_list(stock).to(device)
    diffs = [torch.randn(4, WIDTH) for _ in ROWS]
    results = merged(on(device, INDICES), on(device, OFFSETS))
    for number, result in enumerate(results):
        expected = reference(exact[number], INDICES[number], OFFSETS[number], mode)
        torch.testing.assert_close(result.detach().cpu(), expected.detach().float())
        (expected * diffs[number]).sum().backward()
        (result * diffs[number].to(device)).sum().backward()
        gradient = merged.weights[number].grad
        assert gradient.is_sparse == sparse
        torch.testing.assert_close(gradient.to_dense().cpu(), exact[number].grad.float())


@DEVICES
def test_with_cat(device: str) -> None:
    merged = MergedEmbeddingBagWithCat.from_embeddingbag_list(tables()).to(device)
    dense = torch.randn(4, 3)
    result = merged(on(device, INDICES), on(device, OFFSETS), dense.to(device))
    plain = MergedEmbeddingBag.forward(merged, on(device, INDICES), on(device, OFFSETS))
    assert torch.equal(result.cpu(), torch.cat([dense, *(each.cpu() for each in plain)], 1))
    assert result.requires_grad


@DEVICES
@MODES
def test_sgd_learns_in_backward(device: str, mode: str) -> None:
    stock = tables(mode)
    merged = MergedEmbeddingBagWithSGD.from_embeddingbag_list(copy.deepcopy(stock), lr=0.5).to(device)
    exact = copy.deepcopy(stock).double()
    optimizer = torch.optim.SGD(exact.parameters(), lr=0.5)
    for _ in range(3):
        learn_once(merged, exact, optimizer, device)
    for weight, table in zip(merged.weights, exact, strict=True):
        torch.testing.assert_close(weight.detach().cpu(), table.weight.detach().float())
        assert weight.grad is None


def learn_once(merged: nn.Module, exact: nn.ModuleList, optimizer: torch.optim.Optimizer, device: str) -> None:
    targets = [torch.randn(4, WIDTH) for _ in ROWS]
    optimizer.zero_grad()
    for table, indices, offsets, target in zip(exact, INDICES, OFFSETS, targets, strict=True):
        ((table(indices, offsets) - target) ** 2).sum().backward()
    optimizer.step()
    results = merged(on(device, INDICES), on(device, OFFSETS))
    sum(((result - target.to(device)) ** 2).sum() for result, target in zip(results, targets, strict=True)).backward()


def test_weight_decay_shrinks_only_rows_that_were_looked_up() -> None:
    stock = tables()
    before = [table.weight.detach().clone() for table in stock]
    merged = MergedEmbeddingBagWithSGD.from_embeddingbag_list(stock, lr=0.1, weight_decay=0.5)
    sum(each.sum() * 0 for each in merged(INDICES, OFFSETS)).backward()
    for weight, old, indices in zip(merged.weights, before, INDICES, strict=True):
        expected = old.clone()
        expected[indices.unique()] *= 1 - 0.1 * 0.5
        torch.testing.assert_close(weight.detach(), expected)


@DEVICES
@MODES
def test_adagrad_learns_in_backward(device: str, mode: str) -> None:
    stock = tables(mode)
    merged = MergedEmbeddingBagWithAdaGrad.from_embeddingbag_list(copy.deepcopy(stock), lr=0.3).to(device)
    exact = copy.deepcopy(stock).double()
    optimizer = torch.optim.Adagrad(exact.parameters(), lr=0.3)
    for _ in range(3):
        learn_once(merged, exact, optimizer, device)
    for weight, table in zip(merged.weights, exact, strict=True):
        torch.testing.assert_close(weight.detach().cpu(), table.weight.detach().float(), rtol=1e-5, atol=1e-5)


@DEVICES
@pytest.mark.parametrize("kind", [MergedEmbeddingBagWithSGD, MergedEmbeddingBagWithAdaGrad])
def test_bfloat16_tables_learn_as_float32_ones(device: str, kind: type[Any]) -> None:
    merged = kind.from_embeddingbag_list(tables(), lr=1e-4).to(device)
    exact = kind.from_embeddingbag_list(copy.deepcopy(tables()).double(), lr=1e-4)
    merged.to_bfloat16_train()
    assert [weight.dtype for weight in merged.weights] == [torch.bfloat16] * 3
    for _ in range(20):
        for module, where in ((merged, device), (exact, "cpu")):
            sum(each.float().sum() for each in module(on(where, INDICES), on(where, OFFSETS))).backward()
    moved = (exact.weights[0] - tables()[0].weight).abs().max().item()
    assert 5e-4 < moved < 5e-3  # steps too small for bfloat16 alone add up
    for weight, other in zip(merged.weights, exact.weights, strict=True):
        torch.testing.assert_close(weight.detach().cpu(), other.detach().bfloat16(), rtol=2**-8, atol=1e-6)


def test_learning_rate_can_change() -> None:
    merged = MergedEmbeddingBagWithSGD.from_embeddingbag_list(tables(), lr=1.0)
    merged.sgd_args = merged.sgd_args._replace(lr=0.0)
    before = merged.weights[0].detach().clone()
    sum(each.sum() for each in merged(INDICES, OFFSETS)).backward()
    assert torch.equal(merged.weights[0].detach(), before)


def test_no_learning_without_gradients() -> None:
    merged = MergedEmbeddingBagWithSGD.from_embeddingbag_list(tables())
    with torch.no_grad():
        results = merged(INDICES, OFFSETS)
    assert not any(each.requires_grad for each in results)
    expected = MergedEmbeddingBag.from_embeddingbag_list(tables())(INDICES, OFFSETS)
    assert all(torch.equal(each, other.detach()) for each, other in zip(results, expected, strict=True))


@DEVICES
def test_offsets_may_end_with_the_number_of_indices(device: str) -> None:
    ends = [torch.cat([each, torch.tensor([6])]) for each in OFFSETS]
    for kind in (MergedEmbeddingBag, MergedEmbeddingBagWithSGD):
        merged = kind.from_embeddingbag_list(tables(include_last_offset=True)).to(device)
        plain = kind.from_embeddingbag_list(tables()).to(device)
        for result, expected in zip(
            merged(on(device, INDICES), on(device, ends)), plain(on(device, INDICES), on(device, OFFSETS)), strict=True
        ):
            assert torch.equal(result.detach().cpu(), expected.detach().cpu())
            result.sum().backward()
            expected.sum().backward()
        for weight, other in zip(merged.weights, plain.weights, strict=True):
            torch.testing.assert_close(weight.detach().cpu(), other.detach().cpu())


def test_indices_in_rows_need_no_offsets() -> None:
    rows = [torch.tensor([[0, 1], [1, 1]])] * 3
    merged = MergedEmbeddingBagWithSGD.from_embeddingbag_list(tables(), lr=1.0)
    before = merged.weights[0].detach().clone()
    results = merged(rows, [None] * 3)
    torch.testing.assert_close(results[0].detach(), torch.stack([before[0] + before[1], 2 * before[1]]))
    results[0].sum().backward()
    torch.testing.assert_close(merged.weights[0].detach()[:2], before[:2] - torch.tensor([[1.0], [3.0]]))


@DEVICES
@pytest.mark.parametrize("kind", [MergedEmbeddingBag, MergedEmbeddingBagWithSGD, MergedEmbeddingBagWithAdaGrad])
def test_empty_bags_and_no_bags(device: str, kind: type[Any]) -> None:
    nothing = [torch.empty(0, dtype=torch.int64, device=device)] * 3
    merged = kind.from_embeddingbag_list(tables("mean")).to(device)
    for offsets, count in ((torch.zeros(2, dtype=torch.int64), 2), (torch.empty(0, dtype=torch.int64), 0)):
        results = merged(nothing, [offsets.to(device)] * 3)
        assert all(each.shape == (count, WIDTH) and not each.detach().cpu().any() for each in results)
        sum(each.sum() for each in results).backward()


def test_tables_are_shared_not_copied() -> None:
    stock = tables()
    merged = MergedEmbeddingBag.from_embeddingbag_list(stock)
    assert all(
        weight.data_ptr() == table.weight.data_ptr() for weight, table in zip(merged.weights, stock, strict=True)
    )
    assert list(merged.state_dict()) == ["weights.0", "weights.1", "weights.2"]


def test_specs_make_new_tables() -> None:
    merged = MergedEmbeddingBagWithSGD([EmbeddingSpec(6, 4, "sum", torch.float32, None, False, False)] * 2, 0.1, 0.0)
    assert [tuple(weight.shape) for weight in merged.weights] == [(6, 4)] * 2
    assert merged.weights[0].std() > 0


@pytest.mark.parametrize("kind", [MergedEmbeddingBagWithSGD, MergedEmbeddingBagWithAdaGrad])
def test_copies_and_pickles_learn_on(kind: type[Any]) -> None:
    merged = kind.from_embeddingbag_list(tables())
    sum(each.sum() for each in merged(INDICES, OFFSETS)).backward()
    for twin in (copy.deepcopy(merged), pickle.loads(pickle.dumps(merged))):
        sum(each.sum() for each in twin(INDICES, OFFSETS)).backward()
        assert not torch.equal(twin.weights[0], merged.weights[0])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (list, "got no table"),
        (lambda: [nn.EmbeddingBag(3, 4, mode="sum"), nn.EmbeddingBag(3, 5, mode="sum")], "embedding_dim {4, 5}"),
        (lambda: [nn.EmbeddingBag(3, 4, mode="sum"), nn.EmbeddingBag(3, 4)], "pooling_mode"),
        (lambda: [nn.EmbeddingBag(3, 4, mode="max")], "got mode 'max'; accepted: sum, mean"),
        (lambda: [nn.EmbeddingBag(3, 4, max_norm=1.0)], "table 0 has a max_norm"),
        (lambda: [nn.EmbeddingBag(3, 4, padding_idx=1)], "table 0 has a padding_idx"),
        (lambda: [nn.EmbeddingBag(3, 4, scale_grad_by_freq=True)], "table 0 has scale_grad_by_freq"),
    ],
)
def test_tables_that_do_not_fit_are_refused(change: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"E103 .*{text}"):
        MergedEmbeddingBag.from_embeddingbag_list(change())


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"E101 got Embedding; accepted: torch.nn.EmbeddingBag"):
        MergedEmbeddingBag.from_embeddingbag_list([nn.Embedding(3, 4)])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="E103 got lr=-1; accepted: 0 or more"):
        MergedEmbeddingBagWithSGD.from_embeddingbag_list(tables(), lr=-1)
    with pytest.raises(ValueError, match="E103 got eps=nan"):
        MergedEmbeddingBagWithAdaGrad.from_embeddingbag_list(tables(), eps=float("nan"))
    with pytest.raises(ValueError, match="E103 got 2 tensors of indices and 3 of offsets; accepted: 3 each"):
        MergedEmbeddingBag.from_embeddingbag_list(tables())(INDICES[:2], OFFSETS)


@DEVICES
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_embeddingbag_is_that_of_pytorch(device: str, mode: int) -> None:
    weight = tables()[0].weight.detach()
    results = embeddingbag(
        weight.to(device), INDICES[0].to(device), OFFSETS[0].to(device), False, mode, False, None, False
    )
    expected = torch.embedding_bag(weight, INDICES[0], OFFSETS[0], False, mode)
    assert isinstance(results, list) and len(results) == 4
    torch.testing.assert_close(results[0].cpu(), expected[0])
