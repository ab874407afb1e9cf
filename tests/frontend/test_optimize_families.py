"""`ipex.optimize` on real models: every classification family of torchvision, and transformers of four kinds.

Float32 is about as near to float64 as stock PyTorch is; bfloat16 no worse than stock autocast, within 1 dB.
"""

from __future__ import annotations

import copy
import importlib.util
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from accuracy import difference, sqnr
from families import FAMILIES, build
from transformer_models import TRANSFORMERS, Transformer

from .nets import assert_same_state, assert_unchanged, optimize, snapshot

DTYPES = [None, torch.bfloat16]

needs_torchvision = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed"
)
needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)


def check(model: nn.Module, dtype: torch.dtype | None, *args: Tensor, **options: Any) -> None:
    """Asserts accuracy and state of an optimised model.

    Args:
        model: in evaluation mode.
        dtype: for `optimize`.
        args: for the model.
        options: more arguments for it.
    """
    before, state = snapshot(model), copy.deepcopy(model.state_dict())
    wide = [value.double() if value.is_floating_point() else value for value in args]
    wide_options = {key: value.double() if value.is_floating_point() else value for key, value in options.items()}
    with torch.no_grad():
        exact = copy.deepcopy(model).double()(*wide, **wide_options)
        made = optimize(model, dtype)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is not None):
            stock = model(*args, **options)
            results = [made(*args, **options) for _ in range(2)]  # the second call finds packed weights
    for result in results:
        if dtype is None:
            assert difference(result, exact) <= 4 * difference(stock, exact) + 1e-5
        else:
            assert sqnr(result, exact) > sqnr(stock, exact) - 1
    assert_same_state(made.state_dict(), state)
    assert_unchanged(model, before)


@needs_torchvision
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_family(name: str, dtype: torch.dtype | None) -> None:
    check(build(name), dtype, torch.randn(2, 3, FAMILIES[name], FAMILIES[name]))


@needs_transformers
@needs_torchvision
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("name", "with_head"), [*((name, False) for name in TRANSFORMERS), *((name, True) for name in TRANSFORMERS[:3])]
)
def test_transformer(name: str, with_head: bool, dtype: torch.dtype | None) -> None:
    model = Transformer(name, with_head)
    check(model, dtype, **model.inputs)
