"""Saving, pickling and copying of values that are open, in another order, in bfloat16 or int8, and of packed weights."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex


def saved(value: Any, legacy: bool = False) -> Any:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=not legacy)
    file.seek(0)
    return torch.load(file)


def through_safetensors(x: Tensor) -> Tensor:
    safetensors = pytest.importorskip("safetensors.torch")
    return safetensors.load(safetensors.save({"x": x}))["x"]


WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "save": saved,
    "save, old format": lambda x: saved(x, legacy=True),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "deepcopy": copy.deepcopy,
    "safetensors": through_safetensors,
    "tolist": lambda x: torch.tensor(x.tolist()),
    "numpy": lambda x: torch.from_numpy(x.cpu().numpy()),
    "numpy of as_cpu": lambda x: torch.from_numpy(torch.ipex.as_cpu(x).numpy()).clone(),
}


def numbers(*shape: int) -> Tensor:
    """Small whole numbers, so that every way of computing gives the same bits."""
    return torch.randint(-4, 5, shape, generator=torch.Generator().manual_seed(0)).float().to("ipex")


@torch.no_grad()
def convolved() -> Tensor:
    return torch.relu(nn.functional.conv2d(numbers(2, 3, 8, 8), numbers(8, 3, 3, 3)))


def opened() -> Tensor:
    y = convolved()
    assert torch.ipex.physical_form(y).open
    return y


def physical() -> Tensor:
    y = convolved()
    torch.ipex.synchronize()
    form = torch.ipex.physical_form(y)
    assert not form.open and not form.plain
    return y


def in_bfloat16() -> Tensor:
    with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)):
        y = convolved()
    assert torch.ipex.physical_form(y).dtype == "BFloat16"
    return y


@torch.no_grad()
def in_int8(path: Path) -> Tensor:
    """A result that was left due in int8, and was computed so for the layer that came after it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3)).to("ipex").eval()
    recipe = ipex.AmpConf(torch.int8)
    with ipex.AutoMixPrecision(recipe, running_mode="calibration"):
        model(numbers(2, 3, 8, 8))
    recipe.save(str(path))
    seen: list[Tensor] = []
    model[1].register_forward_hook(lambda module, arguments, result: seen.append(result))
    with ipex.AutoMixPrecision(ipex.AmpConf(torch.int8, str(path)), running_mode="inference"):
        model(numbers(2, 3, 8, 8))
    assert torch.ipex.physical_form(seen[0]).quantized_dtype == "Byte"
    return seen[0]


FORMS: dict[str, Callable[[Path], Tensor]] = {
    "open": lambda path: opened(),
    "physical": lambda path: physical(),
    "bfloat16": lambda path: in_bfloat16(),
    "int8": in_int8,
}


@pytest.mark.filterwarnings("ignore:automatic mixed precision:UserWarning")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", FORMS)
def test_values_and_strides_are_those_of_a_cpu_copy(form: str, way: str, tmp_path: Path) -> None:
    expected = FORMS[form](tmp_path / "recipe.json").cpu()
    x = FORMS[form](tmp_path / "recipe.json")
    got = WAYS[way](x)
    assert (
        got.dtype == torch.float32 and got.stride() == x.stride() == expected.stride() == torch.empty(x.shape).stride()
    )
    assert torch.equal(got.cpu(), expected)
    assert torch.equal(x.cpu(), expected)
    assert got.device.type == ("ipex" if way in ("save", "save, old format", "pickle", "deepcopy") else "cpu")


def test_float32_results_are_those_of_the_cpu() -> None:
    x, weight = numbers(2, 3, 8, 8).cpu(), numbers(8, 3, 3, 3).cpu()
    expected = torch.relu(nn.functional.conv2d(x, weight))
    for made in (opened, physical):
        assert torch.equal(saved(made()).cpu(), expected)


@pytest.mark.parametrize("way", ["save", "save, old format", "pickle", "deepcopy"])
def test_views_of_an_open_result_keep_sharing(way: str) -> None:
    def make(y: Tensor) -> dict[str, Tensor]:
        return {"whole": y, "channels": y[:, 2:5], "last": y.permute(0, 2, 3, 1)}

    copies: dict[str, Callable[[Any], Any]] = {**WAYS, "pickle": lambda value: pickle.loads(pickle.dumps(value))}
    got, expected = copies[way](make(opened())), make(convolved().cpu())
    for name, tensor in expected.items():
        assert torch.equal(got[name].cpu(), tensor)
        assert (got[name].stride(), got[name].storage_offset()) == (tensor.stride(), tensor.storage_offset())
    if way != "pickle":  # which copies every view's storage on CPU too
        got["whole"].zero_()
        assert got["channels"].abs().sum().item() == 0


class Stopped(nn.Module):
    """Keeps what its convolution returned, which is not computed yet, as a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3)
        self.register_buffer("last", torch.zeros(0))

    def forward(self, x: Tensor) -> Tensor:
        self.last = self.convolution(x)
        return self.last.relu()


@torch.no_grad()
@pytest.mark.parametrize("way", ["save", "save, old format", "pickle", "deepcopy"])
def test_model_in_the_middle_of_fusion(way: str) -> None:
    model, x = Stopped().to("ipex"), numbers(2, 3, 8, 8)
    result = model(x)
    assert torch.ipex.physical_form(result).open
    state = WAYS[way](model.state_dict()) if way != "pickle" else pickle.loads(pickle.dumps(model)).state_dict()
    expected = nn.functional.conv2d(x.cpu(), model.convolution.weight.cpu(), model.convolution.bias.cpu())
    torch.testing.assert_close(state["last"].cpu(), expected)
    torch.testing.assert_close(result.cpu(), expected.relu())


@torch.no_grad()
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["float32", "bfloat16"])
@pytest.mark.filterwarnings("ignore:automatic mixed precision:UserWarning")
def test_weights_are_saved_in_float32_and_stay_packed(way: str, mode: str) -> None:
    torch.manual_seed(0)
    stock = nn.Linear(512, 512)
    model, x = copy.deepcopy(stock).to("ipex"), torch.randn(4, 512).to("ipex")

    def run() -> Tensor:
        if mode == "float32":
            return model(x).cpu()
        with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)):
            return model(x).cpu()

    for _ in range(3):
        before = run()
    copies = torch.ipex.physical_form(model.weight).packed
    for _ in range(2):
        got = WAYS[way](model.weight.detach())
        assert got.dtype == torch.float32 and torch.equal(got.cpu(), stock.weight)
        if way in ("save", "save, old format", "pickle", "deepcopy", "tolist", "numpy"):
            assert torch.ipex.physical_form(model.weight).packed == copies
        del got
        for _ in range(3):
            assert torch.equal(run(), before)
        assert torch.ipex.physical_form(model.weight).packed == copies
