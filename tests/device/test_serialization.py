"""torch.save and torch.load with every map_location, deepcopy, pickle, mmap, TorchScript files: plain data, everywhere."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

SOURCES = ["cpu", "ipex"]
TARGETS: dict[str, tuple[Any, dict[str, str]]] = {
    "none": (None, {"cpu": "cpu", "ipex": "ipex"}),
    "cpu": ("cpu", {"cpu": "cpu", "ipex": "cpu"}),
    "ipex": ("ipex", {"cpu": "ipex", "ipex": "ipex"}),
    "ipex:0": ("ipex:0", {"cpu": "ipex", "ipex": "ipex"}),
    "device": (torch.device("ipex"), {"cpu": "ipex", "ipex": "ipex"}),
    "device_index": (torch.device("ipex", 0), {"cpu": "ipex", "ipex": "ipex"}),
    "meta": ("meta", {"cpu": "meta", "ipex": "meta"}),
    "dict_away": ({"ipex:0": "cpu"}, {"cpu": "cpu", "ipex": "cpu"}),
    "dict_here": ({"cpu": "ipex"}, {"cpu": "ipex", "ipex": "ipex"}),
    "callable_cpu": (lambda storage, location: storage, {"cpu": "cpu", "ipex": "cpu"}),
    "callable_ipex": (lambda storage, location: storage.ipex(), {"cpu": "ipex", "ipex": "ipex"}),
}


def round_trip(value: Any, **options: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return torch.load(buffer, **options)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", TARGETS)
def test_map_location(source: str, target: str) -> None:
    x = torch.randn(3, 4, device=source)
    location, expected = TARGETS[target]
    loaded = round_trip(x, map_location=location)
    assert loaded.device.type == expected[source]
    if loaded.device.type != "meta":
        assert torch.equal(loaded.cpu(), x.cpu())


@pytest.mark.parametrize("options", [{}, {"map_location": "ipex"}, {"map_location": "cpu"}], ids=str)
@pytest.mark.parametrize("source", SOURCES)
def test_mapped_file(tmp_path: Path, options: dict[str, str], source: str) -> None:
    x = torch.randn(50, 40, device=source)
    torch.save({"x": x}, tmp_path / "checkpoint.pt")
    loaded = torch.load(tmp_path / "checkpoint.pt", mmap=True, **options)["x"]
    assert loaded.device.type == options.get("map_location", source)
    assert torch.equal(loaded.cpu(), x.cpu())
    loaded.add_(1)
    assert torch.equal(torch.load(tmp_path / "checkpoint.pt")["x"].cpu(), x.cpu())


def test_aliasing_and_views_survive() -> None:
    x = torch.arange(12.0, device="ipex").view(3, 4)
    loaded = round_trip({"whole": x, "column": x[:, 1], "transposed": x.t()})
    loaded["whole"][0, 1] = 99
    assert loaded["column"][0].item() == 99
    assert loaded["transposed"][1, 0].item() == 99
    assert loaded["transposed"].stride() == (1, 4)


KINDS: dict[str, Callable[[str], torch.Tensor]] = {
    "float32": lambda d: torch.randn(3, device=d),
    "bfloat16": lambda d: torch.randn(3, device=d).bfloat16(),
    "complex64": lambda d: torch.randn(3, device=d, dtype=torch.complex64),
    "conjugate": lambda d: torch.randn(3, device=d, dtype=torch.complex64).conj(),
    "negative": lambda d: torch.randn(3, device=d, dtype=torch.complex64).conj().imag,
    "bool": lambda d: torch.tensor([True, False], device=d),
    "empty": lambda d: torch.empty(0, 3, device=d),
    "scalar": lambda d: torch.tensor(3.5, device=d),
    "channels_last": lambda d: torch.randn(2, 3, 4, 5, device=d).to(memory_format=torch.channels_last),
    "expanded": lambda d: torch.randn(3, 1, device=d).expand(3, 4),
    "parameter": lambda d: nn.Parameter(torch.randn(3, device=d)),
    "sparse_coo": lambda d: torch.eye(3, device=d).to_sparse(),
    "sparse_csr": lambda d: torch.eye(3, device=d).to_sparse_csr(),
    "quantized": lambda d: torch.quantize_per_tensor(torch.randn(3, device=d), 0.1, 2, torch.qint8),
    "per_channel": lambda d: torch.quantize_per_channel(
        torch.randn(2, 3, device=d), torch.tensor([0.1, 0.2]).to(d), torch.tensor([0, 1]).to(d), 0, torch.qint8
    ),
}


def dense(x: torch.Tensor) -> torch.Tensor:
    return (x.to_dense() if x.layout != torch.strided else x.dequantize() if x.is_quantized else x).detach().cpu()


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning", "ignore:torch.quantize_per:UserWarning")
@pytest.mark.parametrize("how", ["save", "deepcopy", "pickle"])
@pytest.mark.parametrize("kind", KINDS)
def test_copies_are_what_they_are_on_cpu(kind: str, how: str) -> None:
    copies = {"save": round_trip, "deepcopy": copy.deepcopy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}
    torch.manual_seed(0)
    expected = KINDS[kind]("cpu")
    if (kind, how) != ("sparse_csr", "deepcopy"):  # which fails on CPU: "Cannot access storage of SparseCsrTensorImpl"
        expected = copies[how](expected)
    torch.manual_seed(0)
    x = KINDS[kind]("ipex")
    y = copies[how](x)
    assert y.device == x.device
    assert type(y) is type(x)
    assert (y.shape, y.dtype, y.layout, y.requires_grad) == (x.shape, x.dtype, x.layout, x.requires_grad)
    assert (y.is_conj(), y.is_neg()) == (expected.is_conj(), expected.is_neg())
    if x.layout == torch.strided:
        assert y.stride() == expected.stride()
    assert torch.equal(dense(y), dense(expected))


def test_module_and_optimizer_resume() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)).to("ipex")
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(5, 4, device="ipex")).sum().backward()
    optimizer.step()
    checkpoint = round_trip({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, map_location="cpu")
    resumed = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)).to("ipex")
    other = torch.optim.Adam(resumed.parameters())
    resumed.load_state_dict(checkpoint["model"])
    other.load_state_dict(checkpoint["optimizer"])
    assert all(p.is_ipex for p in resumed.parameters())
    assert other.state[resumed[0].weight]["exp_avg"].is_ipex
    assert torch.equal(resumed[2].weight, model[2].weight)


@pytest.mark.parametrize(
    "module", [nn.LSTM(3, 4, 2), nn.TransformerEncoderLayer(8, 2, 16), nn.Embedding(5, 3)], ids=str
)
def test_deepcopy_of_modules(module: nn.Module) -> None:
    original = module.to("ipex")
    clone = copy.deepcopy(original)
    for a, b in zip(original.parameters(), clone.parameters(), strict=True):
        assert b.is_ipex
        assert a.data_ptr() != b.data_ptr()
        assert torch.equal(a, b)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("location", [None, "cpu", "ipex"])
def test_torchscript_file(location: str | None) -> None:
    model = nn.Linear(4, 2).to("ipex")
    x = torch.randn(3, 4, device="ipex")
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(model, x), buffer)
    buffer.seek(0)
    loaded = torch.jit.load(buffer, map_location=location)
    device = location or "ipex"
    assert next(loaded.parameters()).device.type == device
    torch.testing.assert_close(loaded(x.to(device)).cpu(), model(x).cpu())


def test_storages() -> None:
    storage = torch.arange(8, dtype=torch.uint8, device="ipex").untyped_storage()
    assert storage.device == torch.device("ipex:0")
    assert storage.tolist() == list(range(8))
    assert storage.cpu().device.type == "cpu"
    assert storage.clone().device == storage.device
    assert round_trip(torch.tensor([1.5], device="ipex").untyped_storage()).device == storage.device
    grown = torch.UntypedStorage(4, device="ipex").fill_(7).resize_(8)
    assert grown.nbytes() == 8
    assert grown.tolist()[:4] == [7] * 4
    assert storage[2] == 2


PRINTED: dict[str, torch.Tensor] = {
    "dense": torch.randn(2, 2),
    "sparse": torch.eye(2).to_sparse(),
    "bool": torch.tensor([True]),
    "parameter": nn.Parameter(torch.ones(2)),
}


@pytest.mark.parametrize("x", PRINTED.values(), ids=PRINTED)
def test_printing_shows_values_and_device(x: torch.Tensor) -> None:
    on_device = nn.Parameter(x.detach().ipex()) if isinstance(x, nn.Parameter) else x.ipex()
    text = repr(on_device)
    assert "device='ipex:0'" in text
    assert "".join(text.split()).replace("device='ipex:0',", "").replace(",device='ipex:0'", "") == "".join(
        repr(x).split()
    )
