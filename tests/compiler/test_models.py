"""Real models on both paths: every classification family of torchvision, and transformers of four kinds."""

from __future__ import annotations

import copy
import importlib.util

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from accuracy import difference, sqnr
from families import FAMILIES, build
from transformer_models import TRANSFORMERS, Transformer

from .running import Warnings, compiled

needs_torchvision = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed"
)
needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
QUICK = ("alexnet", "mobilenet_v3_small", "resnet18", "vit_b_32")  # to compile with Inductor
DTYPES = (None, torch.bfloat16)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Warnings:
    return Warnings(caplog, monkeypatch)


def check(model: nn.Module, dtype: torch.dtype | None, *args: Tensor) -> None:
    """Asserts that a compiled copy of a model is about as near to float64 as stock PyTorch is.

    Args:
        model: in evaluation mode.
        dtype: of autocast; None: without.
        args: for the model.
    """
    with torch.no_grad():
        exact = copy.deepcopy(model).double()(*(value.double() for value in args))
        run = compiled(model)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is not None):
            result = [run(*args) for _ in range(2)][-1]  # the second call uses packed weights
            stock = model(*args)
    if dtype is None:
        assert difference(result, exact) <= 4 * difference(stock, exact) + 1e-5
    else:
        assert sqnr(result, exact) > sqnr(stock, exact) - 1


@needs_torchvision
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_family_torchscript(name: str, dtype: torch.dtype | None, log: Warnings) -> None:
    ipex._set_compiler_backend("torchscript")
    check(build(name), dtype, torch.randn(2, 3, FAMILIES[name], FAMILIES[name]))
    assert log.texts == []


@needs_torchvision
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, dtype) for name in QUICK for dtype in DTYPES),
        *(pytest.param(name, None, marks=pytest.mark.slow) for name in FAMILIES if name not in QUICK),
    ],
)
def test_family_inductor(name: str, dtype: torch.dtype | None, log: Warnings) -> None:
    check(build(name), dtype, torch.randn(2, 3, FAMILIES[name], FAMILIES[name]))
    assert log.texts == []


@needs_transformers
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformer(name: str, path: str, log: Warnings) -> None:
    model = Transformer(name)
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
