"""Models that were optimised, then compiled: as accurate as without, in bfloat16 no worse than stock autocast."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex
from accuracy import difference, sqnr


class Net(nn.Module):
    """Batch norms that shift much: their part of the sum would be seen if it were rounded."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        sizes = (3, 16, 16, 16)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in itertools.pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm2d(16) for _ in self.convs)
        self.last = nn.Linear(16, 10)
        for norm in self.norms:
            nn.init.normal_(norm.bias, std=8)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        return self.last(x.movedim(1, 3))


@pytest.mark.parametrize("weights_prepack", [True, False])
@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=str)
@pytest.mark.parametrize("autocast", [False, True])
def test_accuracy(path: str, weights_prepack: bool, dtype: torch.dtype | None, autocast: bool) -> None:
    model, x = Net(), torch.randn(2, 3, 12, 12)
    if dtype is not None and not autocast:
        x = x.to(dtype)
    with torch.no_grad():
        exact = copy.deepcopy(model).double()(x.double())
        made = torch.compile(ipex.optimize(model, dtype, weights_prepack=weights_prepack), backend="ipex")
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            result = [made(x) for _ in range(2)][-1]
            stock = copy.deepcopy(model).to(x.dtype)(x)
    if dtype is None and not autocast:
        assert difference(result, exact) <= 4 * difference(stock, exact) + 1e-6
    else:
        assert sqnr(result, exact) > sqnr(stock, exact) - 1


def test_weights_are_read_in_the_dtype_of_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the layers of an optimised model ask their weights for does not count as reading them."""
    from torch_ipex_device.compiler import torchscript

    seen: list[dict[int, Any]] = []
    keep = torchscript.keep_float32_bias
    monkeypatch.setattr(
        torchscript, "keep_float32_bias", lambda graph, weights: (seen.append(dict(weights)), keep(graph, weights))
    )
    ipex._set_compiler_backend("torchscript")
    made = torch.compile(ipex.optimize(Net()), backend="ipex")
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        made(torch.randn(2, 3, 12, 12))
    (dtypes,) = seen
    assert sorted(map(str, dtypes.values())) == ["torch.bfloat16"] * 4 + ["torch.float32"] * 4
