"""assert_same accepts what agrees and names each kind of difference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from torch_ipex_device.testing.compare import Mismatch, assert_same

GRID = torch.arange(6.0).reshape(2, 3)
NAN = torch.tensor([1.0, float("nan")])
EQUAL: dict[str, tuple[object, object]] = {
    "tensor": (GRID.to("ipex"), GRID),
    "not a number": (NAN.to("ipex"), NAN),
    "nested": ([{"a": GRID.to("ipex")}, (1, "b")], [{"a": GRID}, (1, "b")]),
    "sparse": (GRID.to_sparse().to("ipex"), GRID.to_sparse()),
    "compressed": (GRID.to("ipex").to_sparse_csr(), GRID.to_sparse_csr()),
    "half complex": (GRID.to(torch.complex32).to("ipex"), GRID.to(torch.complex32)),
}
DIFFERENT: dict[str, tuple[Callable[[], object], object]] = {
    "device": (lambda: GRID, GRID),
    "stride": (lambda: GRID.t().contiguous().t().to("ipex"), GRID),
    "shape": (lambda: GRID.to("ipex")[:1], GRID),
    "dtype": (lambda: GRID.double().to("ipex"), GRID),
    "layout": (lambda: GRID.to_sparse().to("ipex"), GRID),
    "requires_grad": (lambda: GRID.to("ipex").requires_grad_(), GRID),
    "storage_offset": (lambda: torch.zeros(7, device="ipex")[1:], torch.zeros(6)),
    "is_conj": (lambda: GRID.to(torch.complex64).to("ipex").conj(), GRID.to(torch.complex64)),
    "is_neg": (lambda: torch._neg_view(GRID.to("ipex")), GRID),
    "not close": (lambda: (GRID + 1e-3).to("ipex"), GRID),
    "component 1": (lambda: (GRID.to_sparse() * 2).to("ipex"), GRID.to_sparse()),
    "type is list": (list, ()),
    "length": (lambda: [1], [1, 2]),
    "keys": (lambda: {"a": 1}, {"b": 1}),
    "value is 1": (lambda: 1, 2),
}


@pytest.mark.parametrize("name", EQUAL)
def test_accepts_equal(name: str) -> None:
    assert_same(*EQUAL[name])


@pytest.mark.parametrize("name", DIFFERENT)
def test_names_the_difference(name: str) -> None:
    make, expected = DIFFERENT[name]
    with pytest.raises(Mismatch, match=name):
        assert_same(make(), expected)


def test_values_can_be_left_out_but_metadata_cannot() -> None:
    assert_same((GRID + 1).to("ipex"), GRID, values=False)
    with pytest.raises(Mismatch, match="shape"):
        assert_same(GRID.to("ipex")[:1], GRID, values=False)


def test_coefficient_zero_demands_equal_bits() -> None:
    with pytest.raises(Mismatch):
        assert_same(torch.tensor([1.0000001]).to("ipex"), torch.tensor([1.0]), coefficient=0)
