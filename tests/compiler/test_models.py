"""Real models on both paths: every classification family of torchvision, and transformers of four kinds."""

from __future__ import annotations

import copy
import importlib.util
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from families import FAMILIES, build, difference
from torch_ipex_device.testing.torchvision_support import import_torchvision

from .running import Warnings, compiled, sqnr

needs_torchvision = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed"
)
needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
QUICK = ("alexnet", "mobilenet_v3_small", "resnet18", "vit_b_32")  # to compile with Inductor
SLOW = ("convnext_tiny", "densenet121", "efficientnet_b0")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Warnings:
    return Warnings(caplog, monkeypatch)


def check(model: nn.Module, *args: Tensor, **kwargs: Any) -> None:
    """Asserts that a compiled model is about as near to float64 as stock PyTorch is."""
    exact_args = [value.double() if value.is_floating_point() else value for value in args]
    with torch.no_grad():
        exact = copy.deepcopy(model).double()(*exact_args, **kwargs)
        run = compiled(model)
        for _ in range(2):  # the second call uses packed weights
            result = run(*args, **kwargs)
        stock = model(*args, **kwargs)
    assert difference(result, exact) <= 4 * difference(stock, exact) + 1e-5


@needs_torchvision
@pytest.mark.parametrize("name", FAMILIES)
def test_family_torchscript(name: str, log: Warnings) -> None:
    ipex._set_compiler_backend("torchscript")
    check(build(name), torch.randn(2, 3, FAMILIES[name], FAMILIES[name]))
    assert log.texts == []


@needs_torchvision
@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_family_inductor(name: str, log: Warnings) -> None:
    check(build(name), torch.randn(2, 3, FAMILIES[name], FAMILIES[name]))
    assert log.texts == []


class Hidden(nn.Module):
    """The last hidden state of a transformer."""

    def __init__(self, name: str) -> None:
        super().__init__()
        import_torchvision()  # transformers imports it
        import transformers as t

        torch.manual_seed(0)
        sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
        tokens = torch.randint(0, 100, (2, 12))
        self.inputs: dict[str, Tensor] = {"input_ids": tokens}
        if name == "bert":
            self.model = t.BertModel(t.BertConfig(**sizes, vocab_size=100))
        elif name == "gpt2":
            self.model = t.GPT2Model(t.GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=100))
        elif name == "t5":
            config = t.T5Config(d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, vocab_size=100)
            self.model = t.T5Model(config)
            self.inputs["decoder_input_ids"] = tokens[:, :7]
        else:
            self.model = t.ViTModel(t.ViTConfig(**sizes, image_size=32, patch_size=8))
            self.inputs = {"pixel_values": torch.randn(2, 3, 32, 32)}
        self.eval()

    def forward(self, **inputs: Tensor) -> Tensor:
        result: Tensor = self.model(**inputs).last_hidden_state
        return result


@needs_transformers
@pytest.mark.parametrize("name", ["bert", "gpt2", "t5", "vit"])
def test_transformer(name: str, path: str, log: Warnings) -> None:
    model = Hidden(name)
    exact_inputs = {key: value.double() if value.is_floating_point() else value for key, value in model.inputs.items()}
    with torch.no_grad():
        exact = copy.deepcopy(model).double()(**exact_inputs)
        run = compiled(model)
        for _ in range(2):
            result = run(**model.inputs)
        assert difference(result, exact) <= 4 * difference(model(**model.inputs), exact) + 1e-5
        with torch.autocast("cpu", torch.bfloat16):
            low, stock = [run(**model.inputs) for _ in range(2)][-1], model(**model.inputs)
    assert sqnr(low, exact) > sqnr(stock, exact) - 1
    assert log.texts == []
